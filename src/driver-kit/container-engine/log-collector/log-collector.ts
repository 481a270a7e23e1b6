/** The agent's side of the log collector: starts it where there is none, asks it, and starts it again when it dies. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Fault, messageOf } from '../../../lib/fault.ts';
import type { Log } from '../../../lib/log.ts';
import { makeDirectories } from '../../../lib/node/directories.ts';
import { spawn } from '../../../lib/node/spawn.ts';
import { type CollectorAnswer, type CollectorCall, type FollowRequest, socketName } from './follow-request.ts';

/** Without `id`. */
type Call = CollectorCall extends infer C ? (C extends unknown ? Omit<C, 'id'> : never) : never;

const startLimitMs = 10_000;
const startPauseMs = 1_000;

export class LogCollector {
  readonly #directory: string;
  readonly #log: Log;
  #socket: Promise<Socket> | null = null;
  #closed = false;
  #nextId = 1;
  readonly #waiting = new Map<number, (answer: CollectorAnswer | null) => void>();
  /** What it must go on with after its death. */
  readonly #followed = new Map<string, FollowRequest>();

  /** `directory`: absolute, the agent's own. */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Resolves when the collector has it on disk. */
  async follow(request: FollowRequest): Promise<void> {
    this.#followed.set(request.key, request);
    const answer = await this.#ask({ do: 'follow', request });
    if (answer.error !== null) throw new Fault('unavailable', `the task's output cannot be kept: ${answer.error}`);
  }

  /** Resolves when everything an ended container said is stored, at the latest after the limit. */
  async drained(key: string, limitMs: number): Promise<void> {
    if (!this.#followed.has(key)) return;
    const limit = new AbortController();
    const late = sleep(limitMs, undefined, { signal: limit.signal, ref: false }).catch(() => undefined);
    // however often it dies meanwhile: it goes on where it was
    const asked = this.#ask({ do: 'drained', key }, () => !limit.signal.aborted).catch(() => undefined);
    await Promise.race([asked, late]);
    limit.abort();
  }

  async forget(key: string): Promise<void> {
    if (!this.#followed.delete(key)) return;
    await this.#ask({ do: 'forget', key }).catch((error: unknown) => {
      this.#log.warn('the log collector was not told to forget a task', { key, error: messageOf(error) });
    });
  }

  /** The collector stays. */
  close(): void {
    this.#closed = true;
    this.#socket?.then((socket) => socket.destroy()).catch(() => {});
  }

  /** A collector that dies is asked again, by default a few times. */
  async #ask(call: Call, again = (attempts: number): boolean => attempts < 3): Promise<CollectorAnswer> {
    for (let attempt = 0; again(attempt) && !this.#closed; attempt++) {
      const socket = await this.#connected();
      if (socket.destroyed) continue;
      const id = this.#nextId++;
      const answer = await new Promise<CollectorAnswer | null>((resolve) => {
        this.#waiting.set(id, resolve);
        socket.write(`${JSON.stringify({ ...call, id })}\n`);
      });
      if (answer !== null) return answer;
    }
    throw new Fault('unavailable', 'the log collector does not stay alive', { recoverable: true });
  }

  #connected(): Promise<Socket> {
    this.#socket ??= this.#open().catch((error: unknown) => {
      this.#socket = null;
      throw error;
    });
    return this.#socket;
  }

  async #open(): Promise<Socket> {
    makeDirectories(this.#directory, 0o700);
    let socket = (await this.#tryConnect()) ?? (await this.#start());
    // one that died before anybody listened tells nobody any more
    while (socket.destroyed) socket = await this.#start();
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(JSON.parse(line) as CollectorAnswer);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#lost());
    // the agent may end while it listens
    socket.unref();
    return socket;
  }

  #take(answer: CollectorAnswer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  #lost(): void {
    this.#socket = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(null);
    void this.#again();
  }

  /** Until there is one: tasks are running, and speak. */
  async #again(): Promise<void> {
    while (!this.#closed && this.#followed.size > 0) {
      this.#log.warn('the log collector ended and is started again', { followed: this.#followed.size });
      try {
        await this.#connected();
        return;
      } catch (error) {
        this.#log.error('the log collector cannot be started', { error: messageOf(error) });
        await sleep(startPauseMs, undefined, { ref: false });
      }
    }
  }

  /** Through the directory's descriptor: a socket's path has 108 bytes at most. */
  async #tryConnect(): Promise<Socket | null> {
    const directory = await open(this.#directory).catch(() => null);
    if (directory === null) return null;
    try {
      return await new Promise((resolve) => {
        const socket = connect(`/proc/self/fd/${directory.fd}/${socketName}`);
        socket.on('connect', () => resolve(socket));
        socket.on('error', () => resolve(null));
      });
    } finally {
      await directory.close();
    }
  }

  /** Again, where one ends before it can be reached: killed, or because another has the place. */
  async #start(): Promise<Socket> {
    let child = this.#spawn();
    for (const deadline = Date.now() + startLimitMs; Date.now() < deadline; await sleep(20)) {
      const socket = await this.#tryConnect();
      if (socket !== null) return socket;
      if (child.exitCode !== null || child.signalCode !== null) child = this.#spawn();
    }
    throw new Fault('unavailable', 'the log collector does not start', { recoverable: true });
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, [program(), this.#directory], {
      detached: true,
      stdio: 'ignore',
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '' },
    });
    child.on('error', () => {});
    child.unref();
    return child;
  }
}

/** Beside this file; where this is TypeScript, in what was built of it. */
function program(): string {
  const beside = fileURLToPath(new URL('./main.js', import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL('../../../../dist/driver-kit/container-engine/log-collector/main.js', import.meta.url));
}
