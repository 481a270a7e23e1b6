import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { frameOfJson } from '../connection.ts';
import { concat, encodeFrame, shimFrame, u8, u32, WINDOW } from '../wire.ts';
import type { Prepared } from './command.ts';
import type { Client } from './server.ts';

const GRACE_MS = 200;

export function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : (constants.signals[name] ?? 0);
}

/** The shim's half of an exec session: output within the windows, input with credit for what was taken. */
export class FallbackSession {
  readonly #id: number;
  readonly #client: Client;
  readonly #prepared: Prepared;
  readonly #windows = [WINDOW, WINDOW];
  readonly #rest: Uint8Array[][] = [[], []];
  readonly #open = [true, true];
  #end: { code: number; signal: number } | null = null;
  #told = false;
  onOver: () => void = () => {};

  constructor(client: Client, id: number, prepared: Prepared) {
    this.#client = client;
    this.#id = id;
    this.#prepared = prepared;
    const { child } = prepared;
    child.stdin?.on('error', () => {});
    [child.stdout, child.stderr].forEach((stream, which) => {
      stream?.on('data', (data: Buffer) => this.#offer(which, data));
      stream?.on('close', () => {
        this.#open[which] = false;
        this.#settle();
      });
      stream?.on('error', () => {});
    });
    child.on('exit', (code, name) => {
      const signal = signalNumber(name);
      this.#end = { code: signal === 0 ? (code ?? 0) : 128 + signal, signal };
      // Something it left behind may hold its output: what is there is delivered, then the streams end.
      setTimeout(() => this.#letGo(), GRACE_MS);
      this.#settle();
    });
  }

  stdin(data: Uint8Array): void {
    const stdin = this.#prepared.child.stdin as Writable;
    const credit = () => this.#client.send(encodeFrame(shimFrame.stdinWindow, u32(this.#id), u32(data.length)));
    stdin.write(data, credit);
  }

  stdinEnd(): void {
    this.#prepared.child.stdin?.end();
  }

  credit(stream: number, bytes: number): void {
    const which = stream - 1;
    this.#windows[which] = Math.min(WINDOW, (this.#windows[which] ?? 0) + bytes);
    this.flush();
  }

  signal(signal: number): void {
    if (this.#end === null) this.#prepared.child.kill(signal);
  }

  kill(): void {
    const pid = this.#prepared.child.pid;
    if (this.#end !== null || pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }

  /** Sends what windows and the client's buffer allow. */
  flush(): void {
    for (const which of [0, 1]) {
      const queue = this.#rest[which] as Uint8Array[];
      while (queue.length > 0 && (this.#windows[which] as number) > 0 && this.#client.hasRoom) {
        const data = queue[0] as Uint8Array;
        const part = data.subarray(0, Math.min(this.#windows[which] as number, 32_768));
        this.#windows[which] = (this.#windows[which] as number) - part.length;
        if (part.length === data.length) queue.shift();
        else queue[0] = data.subarray(part.length);
        this.#client.send(encodeFrame(shimFrame.output, concat([u32(this.#id), u8(which + 1)]), part));
      }
      if (queue.length === 0) this.#stream(which)?.resume();
    }
    this.#settle();
  }

  #stream(which: number): Readable | null {
    return which === 0 ? this.#prepared.child.stdout : this.#prepared.child.stderr;
  }

  #offer(which: number, data: Uint8Array): void {
    (this.#rest[which] as Uint8Array[]).push(data);
    this.#stream(which)?.pause();
    this.flush();
  }

  #letGo(): void {
    for (const which of [0, 1]) if (this.#rest[which]?.length === 0) this.#stream(which)?.destroy();
    if (!this.#told) setTimeout(() => this.#letGo(), GRACE_MS);
  }

  #settle(): void {
    const pending = this.#open.some(Boolean) || this.#rest.some((queue) => queue.length > 0);
    if (this.#end === null || pending || this.#told) return;
    this.#told = true;
    this.#client.send(frameOfJson(shimFrame.sessionEnd, u32(this.#id), this.#end));
    this.onOver();
  }
}
