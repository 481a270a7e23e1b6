import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault, faultKinds, messageOf } from '../lib/fault.ts';
import { parseJson } from './exit-record.ts';
import {
  clientFrame,
  concat,
  encodeFrame,
  type Frame,
  FrameReader,
  PROTOCOL,
  readU32,
  shimFrame,
  u8,
  u32,
} from './wire.ts';

/** One connection to a shim: hello, numbered requests, and what comes unasked. */

const OLDEST = 1;
const decoder = new TextDecoder();

/** Longest path a unix socket address holds here. */
const PATH_MAX = process.platform === 'darwin' ? 103 : 107;

export function pipeName(directory: string): string {
  return `\\\\.\\pipe\\drover-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`;
}

/** A path of any length is reached through a descriptor of its directory, or, where there is no /proc, through a short link. */
async function withSocketPath<T>(directory: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, 'shim.sock');
  if (process.platform === 'win32') return use(pipeName(directory));
  if (Buffer.byteLength(path) <= PATH_MAX) return use(path);
  if (process.platform === 'linux') {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await use(`/proc/self/fd/${fd}/shim.sock`);
    } finally {
      closeSync(fd);
    }
  }
  const short = await mkdtemp(join(tmpdir(), 'd-'));
  try {
    await symlink(directory, join(short, 'd'));
    return await use(join(short, 'd', 'shim.sock'));
  } finally {
    await rm(short, { recursive: true });
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) =>
      reject(new Fault('unavailable', `the shim does not answer: ${error.message}`, { cause: error })),
    );
  });
}

/** The frames that came first, at least one. */
async function firstFrames(socket: Socket, reader: FrameReader, timeoutMs: number): Promise<readonly Frame[]> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const refuse = (why: string) => reject(new Fault('unavailable', why));
      timer = setTimeout(() => refuse(`the shim did not greet within ${timeoutMs} ms`), timeoutMs);
      socket.on('data', (chunk: Buffer) => {
        try {
          const frames = reader.push(chunk);
          if (frames.length > 0) resolve(frames);
        } catch (error) {
          refuse(`what listens there is not a shim: ${messageOf(error)}`);
        }
      });
      socket.once('error', (error) => refuse(error.message));
      socket.once('close', () => refuse('the shim closed the connection'));
      socket.write(encodeFrame(clientFrame.hello, u8(OLDEST), u8(PROTOCOL)));
    });
  } finally {
    clearTimeout(timer);
  }
}

export interface Hello {
  readonly version: number;
  readonly kind: 'native' | 'typescript';
  readonly pid: number;
}

interface Pending {
  resolve(payload: Uint8Array): void;
  reject(error: Error): void;
}

export class Connection {
  readonly hello: Hello;
  /** Resolves when the connection is over, whatever the reason. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #over = false;
  onFrame: (frame: Frame) => void = () => {};

  private constructor(socket: Socket, hello: Hello, reader: FrameReader) {
    this.#socket = socket;
    this.hello = hello;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#over = true;
        for (const waiting of this.#pending.values()) waiting.reject(gone());
        this.#pending.clear();
        resolve();
      });
    });
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#take(reader, chunk));
  }

  /** `Fault('unavailable')` where nothing listens or nobody answers in time; `Fault('unsupported')` where no version is shared. */
  static async open(directory: string, timeoutMs = 5000): Promise<{ connection: Connection; early: readonly Frame[] }> {
    const socket = await withSocketPath(directory, dial);
    const reader = new FrameReader();
    try {
      const [first, ...early] = await firstFrames(socket, reader, timeoutMs);
      if (first?.type === shimFrame.error) throw faultOf(first.payload.subarray(4));
      if (first?.type !== shimFrame.hello) throw new Fault('unavailable', 'what listens there is not a shim');
      socket.removeAllListeners();
      const hello = parseJson(decoder.decode(first.payload));
      const kind = hello['kind'] === 'typescript' ? 'typescript' : 'native';
      const greeting = { version: Number(hello['version']), kind, pid: Number(hello['pid']) } as const;
      return { connection: new Connection(socket, greeting, reader), early };
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** A request; resolves with the answer's payload, rejects with the shim's own fault, or `unavailable` when it is gone. */
  request(type: number, fields: Uint8Array = new Uint8Array(), id = this.nextId()): Promise<Uint8Array> {
    if (this.#over) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.write(encodeFrame(type, u32(id), fields));
    });
  }

  nextId(): number {
    this.#lastId = this.#lastId >= 0x7fff_ffff ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  send(type: number, ...parts: readonly Uint8Array[]): void {
    if (!this.#over) this.#socket.write(encodeFrame(type, ...parts));
  }

  close(): void {
    this.#socket.destroy();
  }

  ref(hold: boolean): void {
    if (hold) this.#socket.ref();
    else this.#socket.unref();
  }

  #take(reader: FrameReader, chunk: Uint8Array): void {
    try {
      for (const frame of reader.push(chunk)) this.#dispatch(frame);
    } catch {
      this.#socket.destroy();
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.type !== shimFrame.answer && frame.type !== shimFrame.error) {
      this.onFrame(frame);
      return;
    }
    const id = readU32(frame.payload);
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    const body = frame.payload.subarray(4);
    if (frame.type === shimFrame.answer) waiting?.resolve(body);
    else waiting?.reject(faultOf(body));
  }
}

function gone(): Fault {
  return new Fault('unavailable', 'the shim is gone');
}

export function faultOf(body: Uint8Array): Fault {
  const said = parseJson(decoder.decode(body));
  const kind = faultKinds.find((each) => each === said['kind']) ?? 'unavailable';
  return new Fault(kind, String(said['message']), { recoverable: kind === 'unavailable' });
}

export function frameOfJson(type: number, head: Uint8Array, value: unknown): Uint8Array {
  return encodeFrame(type, concat([head, new TextEncoder().encode(JSON.stringify(value))]));
}
