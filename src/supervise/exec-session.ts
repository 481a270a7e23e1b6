import { Fault, isFault } from '../lib/fault.ts';
import type { Connection } from './connection.ts';
import type { ExecEnd, ShimExec } from './contract.ts';
import { clientFrame, u8, u16, u32, WINDOW } from './wire.ts';

type Chunk = { readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array };

/** The client's half of an exec session: what is not yet consumed is not yet credited, so a slow reader slows only its command. */
export class ExecSession implements ShimExec {
  readonly exit: Promise<ExecEnd>;
  pid = 0;
  readonly #id: number;
  readonly #connection: Connection;
  readonly #chunks: Chunk[] = [];
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};
  #stdinWindow = WINDOW;
  #ended = false;
  #resolveExit: (end: ExecEnd) => void = () => {};

  constructor(connection: Connection, id: number) {
    this.#connection = connection;
    this.#id = id;
    this.exit = new Promise((resolve) => {
      this.#resolveExit = resolve;
    });
  }

  async writeStdin(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      while (this.#stdinWindow === 0 && !this.#ended)
        await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
      if (this.#ended) throw new Fault('conflict', 'the command has ended');
      const count = Math.min(this.#stdinWindow, data.length - at);
      this.#stdinWindow -= count;
      this.#connection.send(clientFrame.stdin, u32(this.#id), data.subarray(at, at + count));
      at += count;
    }
  }

  async closeStdin(): Promise<void> {
    this.#connection.send(clientFrame.stdinEnd, u32(this.#id));
  }

  async resize(size: { readonly height: number; readonly width: number }): Promise<void> {
    this.#connection.send(clientFrame.resize, u32(this.#id), u16(size.height), u16(size.width));
  }

  signal(signal: number): void {
    this.#connection.send(clientFrame.sessionSignal, u32(this.#id), u32(signal));
  }

  get output(): AsyncIterable<Chunk> {
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) };
  }

  async #next(): Promise<IteratorResult<Chunk>> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
    const chunk = this.#chunks.shift() as Chunk;
    this.#connection.send(
      clientFrame.window,
      u32(this.#id),
      u8(chunk.stream === 'stdout' ? 1 : 2),
      u32(chunk.data.length),
    );
    return { done: false, value: chunk };
  }

  /** For the client: a chunk came. */
  take(stream: number, data: Uint8Array): void {
    if (data.length === 0) return;
    this.#chunks.push({ stream: stream === 2 ? 'stderr' : 'stdout', data });
    this.#wakeReader();
  }

  /** For the client: the command took some of its input. */
  credit(bytes: number): void {
    this.#stdinWindow += bytes;
    this.#wakeWriter();
  }

  /** For the client: it is over. */
  end(end: ExecEnd): void {
    this.#ended = true;
    this.#resolveExit(end);
    this.#wakeReader();
    this.#wakeWriter();
  }
}

/** The shim says which call failed; whoever asked wants to hear which program, as Nomad's clients know it. */
export function namingProgram(error: unknown, program: string): unknown {
  const why = isFault(error) ? /^execve: (.)(.*)$/.exec(error.message) : null;
  if (why === null) return error;
  const { kind } = error as Fault;
  return new Fault(kind, `fork/exec ${program}: ${why[1]!.toLowerCase()}${why[2]}`, { cause: error });
}
