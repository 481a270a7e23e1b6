/**
 * Lines of rotated files as another process appends to them. Where the reading is, is kept beside them: the next reader goes on there.
 * What is more than anybody reads is passed over and counted, and so is what was rotated away unread.
 */
import { type FileHandle, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

const everyMs = 100;
const maxLineBytes = 64 * 1024;
/** After a crash so much is read twice at the most. */
const keepEveryMs = 1000;

/** A file of this size is followed by the next. */
export const fileBytes = 4 * 1024 * 1024;
/** So much is read within each window. */
const mostBytes = 4 * 1024 * 1024;
const windowMs = 10_000;

export interface Tail {
  /** Reads what is left and ends. */
  close(): Promise<void>;
}

/** `path`: of the files without their index. `leftOut` hears of what is not read: at once, then once for each window. */
export async function tailFiles(
  path: string,
  line: (text: string) => void,
  leftOut: (bytes: number) => void = () => {},
): Promise<Tail> {
  const reader = new Reader(path, line, leftOut);
  await reader.resume();
  let closed = false;
  let reading = Promise.resolve();
  const tick = (): void => {
    reading = reading.then(() => reader.read()).catch(() => {});
  };
  const timer = setInterval(tick, everyMs);
  timer.unref();
  tick();
  return {
    close: async () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      tick();
      await reading;
      await reader.close();
    },
  };
}

/** Of the file with the highest index; -1: there is none. */
export async function newestIndex(path: string): Promise<number> {
  return Math.max(-1, ...(await indexes(path)));
}

async function indexes(path: string): Promise<number[]> {
  const name = `${basename(path)}.`;
  const files = await readdir(dirname(path)).catch(() => []);
  return files.flatMap((file) =>
    file.startsWith(name) && /^\d{1,9}$/.test(file.slice(name.length)) ? [Number(file.slice(name.length))] : [],
  );
}

class Reader {
  readonly #path: string;
  readonly #line: (text: string) => void;
  readonly #leftOut: (bytes: number) => void;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #decoder = new StringDecoder('utf8');
  #file: FileHandle | null = null;
  #index = 0;
  #at = 0;
  #rest = '';
  #window = { since: Date.now(), taken: 0, left: 0, told: false };
  #kept = { at: '', ms: 0 };

  constructor(path: string, line: (text: string) => void, leftOut: (bytes: number) => void) {
    this.#path = path;
    this.#line = line;
    this.#leftOut = leftOut;
  }

  async resume(): Promise<void> {
    const [index = 0, at = 0] = (await readFile(`${this.#path}.at`, 'utf8').catch(() => '')).split(' ').map(Number);
    if (Number.isSafeInteger(index) && Number.isSafeInteger(at)) [this.#index, this.#at] = [index, at];
  }

  async read(): Promise<void> {
    for (;;) {
      this.#turn();
      if (this.#window.taken >= mostBytes) {
        await this.#skip();
        break;
      }
      if (!(await this.#open())) break;
      if (await this.#take()) continue;
      // what came between the last reading and the next file is in this one
      if ((await newestIndex(this.#path)) <= this.#index) break;
      if (!(await this.#take())) await this.#next(this.#index + 1, 0);
    }
    await this.#keep(keepEveryMs);
  }

  async close(): Promise<void> {
    await this.#keep(0);
    if (this.#rest !== '') this.#line(this.#rest);
    if (this.#window.left > 0) this.#leftOut(this.#window.left);
    await this.#file?.close();
  }

  async #take(): Promise<boolean> {
    const { bytesRead } = await this.#file!.read(this.#buffer, 0, this.#buffer.length, this.#at);
    if (bytesRead === 0) return false;
    this.#at += bytesRead;
    this.#window.taken += bytesRead;
    const lines = (this.#rest + this.#decoder.write(this.#buffer.subarray(0, bytesRead))).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, maxLineBytes);
    for (const each of lines) if (each !== '') this.#line(each);
    return true;
  }

  /** The file of this index; where it was rotated away, the oldest that is there. */
  async #open(): Promise<boolean> {
    if (this.#file !== null) return true;
    for (;;) {
      this.#file = await open(`${this.#path}.${this.#index}`, 'r').catch(() => null);
      if (this.#file !== null) return true;
      const later = (await indexes(this.#path)).filter((index) => index > this.#index);
      if (later.length === 0) return false;
      const oldest = Math.min(...later);
      this.#miss((oldest - this.#index) * fileBytes - this.#at);
      await this.#next(oldest, 0);
    }
  }

  async #next(index: number, at: number): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    [this.#index, this.#at] = [index, at];
  }

  /** To the end of all that is there. */
  async #skip(): Promise<void> {
    const newest = await newestIndex(this.#path);
    if (newest > this.#index) {
      this.#miss((newest - this.#index) * fileBytes - this.#at);
      await this.#next(newest, 0);
    }
    if (!(await this.#open())) return;
    const { size } = await this.#file!.stat();
    this.#miss(size - this.#at);
    this.#at = size;
  }

  #miss(bytes: number): void {
    if (bytes <= 0) return;
    this.#rest = '';
    this.#decoder = new StringDecoder('utf8');
    this.#window.left += bytes;
    if (this.#window.told) return;
    this.#leftOut(this.#window.left);
    this.#window = { ...this.#window, left: 0, told: true };
  }

  #turn(): void {
    const { since, left } = this.#window;
    if (Date.now() - since < windowMs) return;
    if (left > 0) this.#leftOut(left);
    this.#window = { since: Date.now(), taken: 0, left: 0, told: false };
  }

  async #keep(everyMs: number): Promise<void> {
    const at = `${this.#index} ${Math.max(0, this.#at - Buffer.byteLength(this.#rest))}`;
    if (at === this.#kept.at || Date.now() - this.#kept.ms < everyMs) return;
    this.#kept = { at, ms: Date.now() };
    await writeFile(`${this.#path}.at`, at, { mode: 0o600 }).catch(() => {});
  }
}
