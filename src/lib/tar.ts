/**
 * Tape archives as POSIX (ustar, pax) and GNU tar write them, read entry by entry. Nothing an archive says is believed: sizes are bounded
 * by what the source has, and paths are handed on as they are written, for the caller to judge. Source: pax(1), tar(5).
 */
import { Fault } from './fault.ts';

export interface ByteSource {
  /** So many bytes; fewer only at the end. */
  read(length: number): Promise<Uint8Array>;
  /** Past the end is no fault here: the next read has nothing. */
  skip(length: number): Promise<void>;
}

export interface TarEntry {
  /** `other`: a device or a FIFO. */
  readonly kind: 'file' | 'hardlink' | 'link' | 'directory' | 'other';
  readonly path: string;
  /** Of links. */
  readonly target: string;
  /** Permission bits, those of setuid, setgid and sticky among them. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Unix seconds. */
  readonly modifiedAt: number;
  /** Where its content begins in the archive. */
  readonly offset: number;
  /** In pieces; once, before the next entry is asked for. */
  content(): AsyncIterable<Uint8Array>;
}

const block = 512;
const pieceSize = 64 * 1024;
/** Of the records before an entry: a longer path is no path. */
const longestRecords = 1024 * 1024;
const text = new TextDecoder();

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  ...{ '0': 'file', '\0': 'file', '7': 'file', '1': 'hardlink', '2': 'link', '5': 'directory' },
  ...{ '3': 'other', '4': 'other', '6': 'other' },
};

/** `Fault('invalid')` with the place in the archive: it is damaged, cut short, or uses what is not read here (sparse files). */
export async function* readTar(source: ByteSource): AsyncGenerator<TarEntry> {
  const archive = new Archive(source);
  for (;;) {
    const entry = await archive.next();
    if (entry === null) return;
    yield entry;
    await archive.finish();
  }
}

/** What the records before an entry say of it. */
type Said = Map<string, string>;

class Archive {
  readonly #source: ByteSource;
  #offset = 0;
  /** Of the entry's content and its padding: not read yet. */
  #left = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async next(): Promise<TarEntry | null> {
    const said: Said = new Map();
    for (;;) {
      const head = await this.#source.read(block);
      this.#offset += head.length;
      // an archive without its end is one whose writer died
      if (head.length < block) throw this.#damaged('it ends without an end');
      if (head.every((byte) => byte === 0)) return null;
      this.#check(head);
      const type = String.fromCharCode(head[156]!);
      const size = this.#number(said.get('size'), head, 124, 12);
      if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
        const records = await this.#records(size);
        if (type === 'x') readRecords(records, said);
        if (type === 'L') said.set('path', untilNul(records));
        if (type === 'K') said.set('linkpath', untilNul(records));
        continue;
      }
      return this.#entry(head, type, size, said);
    }
  }

  #entry(head: Uint8Array, type: string, size: number, said: Said): TarEntry {
    const kind = kinds[type];
    const path = said.get('path') ?? pathOf(head);
    if (kind === undefined || [...said.keys()].some((name) => name.startsWith('GNU.sparse')))
      throw this.#damaged(`${JSON.stringify(path)} is of a kind that is not read here (${JSON.stringify(type)})`);
    const length = kind === 'file' ? size : 0;
    this.#left = Math.ceil(length / block) * block;
    return {
      kind,
      path,
      target: said.get('linkpath') ?? untilNul(head.subarray(157, 257)),
      mode: this.#number(undefined, head, 100, 8) & 0o7777,
      uid: this.#number(said.get('uid'), head, 108, 8),
      gid: this.#number(said.get('gid'), head, 116, 8),
      size: length,
      modifiedAt: this.#number(said.get('mtime'), head, 136, 12),
      offset: this.#offset,
      content: () => this.#content(length),
    };
  }

  async *#content(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      const piece = await this.#source.read(Math.min(left, pieceSize));
      if (piece.length === 0) throw this.#damaged('it is cut short');
      this.#took(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** What of an entry nobody wanted. */
  async finish(): Promise<void> {
    if (this.#left === 0) return;
    await this.#source.skip(this.#left);
    this.#took(this.#left);
  }

  #took(length: number): void {
    this.#offset += length;
    this.#left -= length;
  }

  async #records(size: number): Promise<Uint8Array> {
    if (size > longestRecords) throw this.#damaged(`${size} bytes about one entry`);
    const padded = Math.ceil(size / block) * block;
    const found = await this.#source.read(padded);
    this.#offset += found.length;
    if (found.length < padded) throw this.#damaged('it is cut short');
    return found.subarray(0, size);
  }

  /** The sum of all bytes, those of the sum itself as blanks. */
  #check(head: Uint8Array): void {
    let sum = 8 * 32;
    for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += head[at]!;
    if (sum !== this.#number(undefined, head, 148, 8)) throw this.#damaged('no header of a tar');
  }

  /** What a record said, else octal digits or, with the first bit set, a binary number. */
  #number(said: string | undefined, head: Uint8Array, from: number, length: number): number {
    const bytes = head.subarray(from, from + length);
    let value = 0;
    if (said !== undefined) value = Math.floor(Number(said));
    else if (bytes[0] === 0x80) for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    else value = Number.parseInt(untilNul(bytes).trim() || '0', 8);
    if (!Number.isSafeInteger(value) || (value < 0 && from !== 136)) throw this.#damaged('a number that is none');
    return value;
  }

  #damaged(what: string): Fault {
    return new Fault('invalid', `the archive is damaged at byte ${this.#offset}: ${what}`);
  }
}

function pathOf(head: Uint8Array): string {
  const name = untilNul(head.subarray(0, 100));
  // GNU's old headers use the place of the prefix for something else
  const ustar = untilNul(head.subarray(257, 263)) === 'ustar';
  const prefix = ustar ? untilNul(head.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** `"30 mtime=1350244992.023960108\n"`, one after the other. */
function readRecords(bytes: Uint8Array, said: Said): void {
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(32, at);
    const length = Number(text.decode(bytes.subarray(at, Math.max(at, blank))));
    if (blank < 0 || !Number.isInteger(length) || length <= blank - at || at + length > bytes.length) return;
    const record = text.decode(bytes.subarray(blank + 1, at + length - 1));
    const sign = record.indexOf('=');
    if (sign > 0) said.set(record.slice(0, sign), record.slice(sign + 1));
    at += length;
  }
}
