/** The channel to a machine's init: frames over one virtio port (native/guest/session.c). One connection per task, made when first needed. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecRequest, ExecSession, TaskExit } from '../../driver/contract.ts';
import { AsyncQueue } from '../../driver-kit/async-queue.ts';
import { abortable } from '../../lib/abortable.ts';
import { Fault } from '../../lib/fault.ts';
import { waitStatus } from './start-disk.ts';

/** Of input, one frame; well below what the init holds. */
const pieceSize = 32 * 1024;
const reachLimitMs = 15_000;

interface Session {
  readonly output: AsyncQueue<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  end(exit: Pick<TaskExit, 'exitCode' | 'signal'> | null): void;
}

export class Control {
  readonly #path: string;
  #socket: Promise<Socket> | null = null;
  #received = Buffer.alloc(0);
  readonly #sessions = new Map<number, Session>();
  readonly #pings = new Map<number, () => void>();
  #next = 1;

  /** Of the socket on the host. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves once the init has answered: what was sent before has been done. */
  async signal(number: number, signal: AbortSignal): Promise<void> {
    const what = Buffer.alloc(4);
    what.writeUInt32BE(number);
    await this.#send('S', 0, what);
    await this.#answered(signal);
  }

  async exec(request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    signal.throwIfAborted();
    const id = this.#next++;
    const output: Session['output'] = new AsyncQueue();
    const exit = new Promise<TaskExit>((resolve, reject) => {
      const end: Session['end'] = (found) => {
        this.#sessions.delete(id);
        output.end();
        if (found === null) reject(new Fault('unavailable', 'the machine ended'));
        else resolve({ ...found, oomKilled: false });
      };
      this.#sessions.set(id, { output, end });
    });
    exit.catch(() => {});
    signal.addEventListener('abort', () => void this.#send('K', id).catch(() => {}), { once: true });
    await this.#send(request.tty ? 'T' : 'X', id, Buffer.from(request.command.map((word) => `${word}\0`).join('')));
    const resize: ExecSession['resize'] = async ({ height, width }) => {
      const size = Buffer.alloc(8);
      size.writeUInt32BE(height);
      size.writeUInt32BE(width, 4);
      await this.#send('W', id, size);
    };
    if (request.size !== undefined) await resize(request.size);
    return {
      writeStdin: async (data) => {
        for (let at = 0; at < data.length; at += pieceSize)
          await this.#send('I', id, data.subarray(at, at + pieceSize));
      },
      closeStdin: () => this.#send('C', id),
      resize,
      output,
      exit,
    };
  }

  close(): void {
    void this.#socket?.then((socket) => socket.destroy()).catch(() => {});
  }

  async #answered(signal: AbortSignal): Promise<void> {
    const id = this.#next++;
    const answer = new Promise<void>((resolve) => this.#pings.set(id, resolve));
    await this.#send('P', id);
    await abortable(answer, signal).finally(() => this.#pings.delete(id));
  }

  async #send(type: string, id: number, data: Uint8Array = new Uint8Array()): Promise<void> {
    const head = Buffer.alloc(9);
    head.write(type, 'latin1');
    head.writeUInt32BE(id, 1);
    head.writeUInt32BE(data.length, 5);
    const socket = await this.#open();
    if (!socket.write(Buffer.concat([head, data]))) await new Promise((resolve) => socket.once('drain', resolve));
  }

  #open(): Promise<Socket> {
    this.#socket ??= this.#connect().catch((error: unknown) => {
      this.#socket = null;
      throw new Fault('unavailable', `the machine does not answer at ${this.#path}`, { cause: error });
    });
    return this.#socket;
  }

  async #connect(): Promise<Socket> {
    const socket = await this.#reach(Date.now() + reachLimitMs);
    socket.on('error', () => {});
    socket.on('data', (data) => this.#take(data));
    socket.on('close', () => {
      this.#socket = null;
      this.#received = Buffer.alloc(0);
      for (const session of [...this.#sessions.values()]) session.end(null);
    });
    return socket;
  }

  /** The monitor makes its socket some time after it was started. */
  async #reach(until: number): Promise<Socket> {
    for (;;) {
      const socket = connect(this.#path);
      socket.unref();
      try {
        await once(socket, 'connect');
        return socket;
      } catch (error) {
        if (Date.now() > until) throw error;
        await sleep(50);
      }
    }
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    while (this.#received.length >= 9) {
      const length = this.#received.readUInt32BE(5);
      if (this.#received.length < 9 + length) return;
      const type = this.#received.toString('latin1', 0, 1);
      const id = this.#received.readUInt32BE(1);
      const body = this.#received.subarray(9, 9 + length);
      this.#received = this.#received.subarray(9 + length);
      this.#onFrame(type, id, body);
    }
  }

  #onFrame(type: string, id: number, body: Buffer): void {
    if (type === 'P') this.#pings.get(id)?.();
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    if (type === 'O') session.output.push({ stream: 'stdout', data: body });
    if (type === 'E') session.output.push({ stream: 'stderr', data: body });
    if (type === 'Z' && body.length === 4) session.end(waitStatus(body.readUInt32BE()));
  }
}
