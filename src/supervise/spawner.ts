import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { Fault } from '../lib/fault.ts';
import { spawn } from '../lib/node/spawn.ts';
import { faultOf } from './connection.ts';
import { parseJson } from './exit-record.ts';
import { concat, encodeFrame, FrameReader, readU32, shimFrame, u32 } from './wire.ts';

/**
 * Starts shims. The native helper is one small process for the agent's whole life: what it forks costs the same however large
 * the agent's heap is. Where it dies it is started again; the shims it made live on.
 */
export interface Spawner {
  /** Resolves with the shim's pid once its socket listens. */
  spawn(fields: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

const decoder = new TextDecoder();
const START = 1;
const FORKED = 132;

interface Pending {
  pid: number;
  resolve(pid: number): void;
  reject(error: Error): void;
}

type Helper = ChildProcessByStdio<Writable, Readable, null>;

export class NativeSpawner implements Spawner {
  readonly #program: string;
  readonly #pending = new Map<number, Pending>();
  #helper: Helper | null = null;
  #lastId = 0;

  constructor(program: string) {
    this.#program = program;
  }

  spawn(fields: Uint8Array): Promise<number> {
    const helper = this.#running();
    this.#lastId = (this.#lastId + 1) & 0x7fff_ffff;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { pid: 0, resolve, reject });
      this.#hold(helper);
      helper.stdin.write(encodeFrame(START, concat([u32(id), fields])));
    });
  }

  async close(): Promise<void> {
    const helper = this.#helper;
    this.#helper = null;
    if (helper === null || helper.exitCode !== null) return;
    await new Promise((resolve) => {
      helper.once('exit', resolve);
      helper.ref();
      helper.stdin.end();
    });
  }

  #running(): Helper {
    if (this.#helper !== null) return this.#helper;
    const helper = spawn(this.#program, ['spawn'], { stdio: ['pipe', 'pipe', 'ignore'], env: {}, cwd: '/' });
    const reader = new FrameReader();
    this.#helper = helper;
    helper.stdin.on('error', () => {});
    helper.stdout.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) this.#take(frame.type, frame.payload);
    });
    const lost = (why: string) => {
      if (this.#helper === helper) this.#helper = null;
      for (const waiting of this.#pending.values())
        waiting.reject(new Fault('unavailable', why, { recoverable: true }));
      this.#pending.clear();
    };
    helper.on('error', (error) => lost(`${this.#program} cannot be run: ${error.message}`));
    helper.on('exit', (_, signal) => lost(`the spawn helper has ended${signal === null ? '' : ` by ${signal}`}`));
    this.#hold(helper);
    return helper;
  }

  /** Node's own end is held up by starts that are under way, but not by a helper that waits for the next. */
  #hold(helper: Helper): void {
    const how = this.#pending.size > 0 ? 'ref' : 'unref';
    helper[how]();
    for (const stream of [helper.stdin, helper.stdout])
      (stream as unknown as Partial<Record<'ref' | 'unref', () => void>>)[how]?.();
  }

  #take(type: number, payload: Uint8Array): void {
    if (type === shimFrame.exit) {
      const pid = Number(parseJson(decoder.decode(payload))['pid']);
      for (const [id, waiting] of this.#pending) {
        if (waiting.pid === pid)
          this.#settle(id, (each) => each.reject(new Fault('unavailable', 'the shim ended before it could answer')));
      }
      return;
    }
    const id = readU32(payload);
    const body = payload.subarray(4);
    if (type === shimFrame.error) this.#settle(id, (each) => each.reject(withErrno(body)));
    else {
      const pid = Number(parseJson(decoder.decode(body))['pid']);
      if (type === FORKED) {
        const waiting = this.#pending.get(id);
        if (waiting !== undefined) waiting.pid = pid;
      } else this.#settle(id, (each) => each.resolve(pid));
    }
  }

  #settle(id: number, act: (waiting: Pending) => void): void {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0 && this.#helper !== null) this.#hold(this.#helper);
    if (waiting !== undefined) act(waiting);
  }
}

/** A shim that did not come to be names the step alone: `"fork"` → `"fork: EAGAIN"`. */
function withErrno(body: Uint8Array): Fault {
  const { kind, message, recoverable } = faultOf(body);
  const errno = Number(parseJson(decoder.decode(body))['errno']);
  return new Fault(kind, errno > 0 ? `${message}: ${getSystemErrorName(-errno)}` : message, { recoverable });
}
