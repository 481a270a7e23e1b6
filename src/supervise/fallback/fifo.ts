import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, lstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { Fault } from '../../lib/fault.ts';
import type { Sink } from './log-file.ts';

const STALL_MS = 1000;
const RETRY_MS = 10;

/** Opens a FIFO read-write, so that no reader's death is felt and no writer sees SIGPIPE. */
export function holdFifo(path: string, make: boolean): number {
  if (make) {
    try {
      execFileSync('mkfifo', ['-m', '600', path], { stdio: 'ignore' });
    } catch {
      // It may be there already; opening decides.
    }
  }
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new Fault('invalid', `${path} is no FIFO`);
}

/** Before nobody reads it: whoever opened it after that would wait for a reader for ever. Another that stands there by now stays. */
export function removeFifo(path: string, held: number): void {
  const ours = fstatSync(held);
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.ino === ours.ino && there.dev === ours.dev) rmSync(path);
}

/** Forwards to a FIFO: waits a second for a full one, then drops and counts until it takes something again. */
export class FifoSink implements Sink {
  stored = 0n;
  dropped = 0n;
  readonly #fd: number;
  #rest: Uint8Array | null = null;
  #stalledSince = 0;
  #dropping = false;
  #ready: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;

  constructor(path: string) {
    this.#fd = holdFifo(path, false);
  }

  write(data: Uint8Array): boolean {
    const rest = this.#put(data);
    if (rest === null) {
      this.#dropping = false;
      return true;
    }
    if (this.#dropping) {
      this.dropped += BigInt(rest.length);
      return true;
    }
    this.#rest = rest;
    this.#stalledSince = Date.now();
    this.#timer = setInterval(() => this.#retry(), RETRY_MS);
    return false;
  }

  onReady(listener: () => void): void {
    this.#ready = listener;
  }

  close(): void {
    this.#finish();
    closeSync(this.#fd);
  }

  #put(data: Uint8Array): Uint8Array | null {
    for (let at = 0; ; ) {
      if (at === data.length) return null;
      try {
        const count = writeSync(this.#fd, data, at);
        this.stored += BigInt(count);
        at += count;
      } catch {
        return data.subarray(at);
      }
    }
  }

  #retry(): void {
    const before = this.#rest?.length ?? 0;
    this.#rest = this.#rest === null ? null : this.#put(this.#rest);
    if ((this.#rest?.length ?? 0) < before) this.#stalledSince = Date.now();
    if (this.#rest !== null && Date.now() - this.#stalledSince < STALL_MS) return;
    this.#dropping = this.#rest !== null;
    this.#finish();
    this.#ready();
  }

  #finish(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.dropped += BigInt(this.#rest?.length ?? 0);
    this.#rest = null;
  }
}
