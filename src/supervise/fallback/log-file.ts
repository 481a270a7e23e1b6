import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Rotation } from '../contract.ts';

/** One stream's rotated files, with its ledger. Writing never throws: what the disk does not take is counted. */
export interface Sink {
  readonly stored: bigint;
  readonly dropped: bigint;
  /** False: pause, `onReady` tells when to go on. */
  write(data: Uint8Array): boolean;
  onReady(listener: () => void): void;
  close(): void;
}

export interface LogPosition {
  readonly index: number;
  /** Bytes in the file of that index. */
  readonly size: number;
}

/** Takes back what was written beyond a position: it was not yet written down as stored, and will come again. */
export function rewindLog(rotation: Rotation, name: string, to: LogPosition): void {
  const directory = openSync(rotation.directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const at = `/proc/self/fd/${directory}`;
    for (const file of readdirSync(at).filter((each) => each.startsWith(`${name}.`))) {
      const rest = file.slice(name.length + 1);
      if (!/^[0-9]{1,9}$/.test(rest) || Number(rest) < to.index) continue;
      if (Number(rest) > to.index) rmSync(join(at, file), { force: true });
      else cut(join(at, file), to.size);
    }
  } finally {
    closeSync(directory);
  }
}

function cut(path: string, size: number): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.nlink <= 1 && stat.size > size) ftruncateSync(fd, size);
  } finally {
    closeSync(fd);
  }
}

export class LogFile implements Sink {
  stored = 0n;
  dropped = 0n;
  readonly #rotation: Rotation;
  readonly #name: string;
  #index: number;
  #fd: number | null = null;
  #size = 0;
  /** Held open: what is put in its place later is not written to. */
  #directory: number | null = null;

  /** Throws where the directory is a link: whoever put it there could lead us, who may be root, anywhere. */
  constructor(rotation: Rotation, name: string) {
    this.#rotation = rotation;
    this.#name = name;
    if (process.platform === 'linux')
      this.#directory = openSync(rotation.directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#index = this.#indices().reduce((highest, each) => Math.max(highest, each), 0);
    this.#next();
  }

  /** Where the next byte goes. */
  get position(): LogPosition {
    return { index: this.#index, size: this.#size };
  }

  write(data: Uint8Array): boolean {
    let at = 0;
    while (at < data.length) {
      if ((this.#fd === null || this.#size >= this.#rotation.maxBytes) && !this.#next()) break;
      const room = Math.max(0, this.#rotation.maxBytes - this.#size);
      if (room === 0) continue;
      try {
        const count = writeSync(this.#fd as number, data, at, Math.min(room, data.length - at));
        this.stored += BigInt(count);
        this.#size += count;
        at += count;
      } catch {
        break;
      }
    }
    this.dropped += BigInt(data.length - at);
    return true;
  }

  onReady(): void {
    // Files never ask to wait.
  }

  close(): void {
    this.#closeFile();
    if (this.#directory !== null) closeSync(this.#directory);
    this.#directory = null;
  }

  #closeFile(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  get #where(): string {
    return this.#directory === null ? this.#rotation.directory : `/proc/self/fd/${this.#directory}`;
  }

  #indices(): number[] {
    try {
      const names = readdirSync(this.#where).filter((name) => name.startsWith(`${this.#name}.`));
      return names
        .map((name) => name.slice(this.#name.length + 1))
        .filter((rest) => /^[0-9]{1,9}$/.test(rest))
        .map(Number);
    } catch {
      return [];
    }
  }

  #path(index: number): string {
    return join(this.#where, `${this.#name}.${index}`);
  }

  #next(): boolean {
    if (this.#fd !== null) {
      this.#closeFile();
      this.#index++;
      this.#size = 0;
    }
    if (!this.#open()) return false;
    for (const index of this.#indices()) {
      if (index <= this.#index - this.#rotation.maxFiles) rmSync(this.#path(index), { force: true });
    }
    return true;
  }

  /** The directory may be the task's to write: only our own regular file with one link is written to. */
  #open(): boolean {
    const path = this.#path(this.#index);
    const flags =
      constants.O_WRONLY |
      constants.O_APPEND |
      constants.O_CREAT |
      (constants.O_NOFOLLOW ?? 0) |
      (constants.O_NONBLOCK ?? 0);
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const fd = openSync(path, flags, this.#rotation.fileMode ?? 0o644);
        const stat = fstatSync(fd);
        if (stat.isFile() && stat.nlink <= 1 && (process.geteuid === undefined || stat.uid === process.geteuid())) {
          this.#fd = fd;
          this.#size = stat.size;
          return true;
        }
        closeSync(fd);
      } catch (error) {
        if (!['ELOOP', 'ENXIO', 'EISDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      }
      try {
        unlinkSync(path);
      } catch {
        return false;
      }
    }
    return false;
  }
}
