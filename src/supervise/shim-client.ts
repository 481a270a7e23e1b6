import { Fault, isFault } from '../lib/fault.ts';
import { Connection } from './connection.ts';
import type { ExecSpec, ExitRecord, Shim, ShimExec, ShimStatus, TaskEnd } from './contract.ts';
import { ExecSession, namingProgram } from './exec-session.ts';
import { exitRecord, parseJson, shimStatus } from './exit-record.ts';
import { startFault } from './start-fault.ts';
import { encodeExec, tag } from './start-fields.ts';
import { clientFrame, concat, type Frame, field, readU32, shimFrame, u32 } from './wire.ts';

/**
 * A shim as the agent sees it. The connection may be lost and come back (a client that did not read is dropped); only when the
 * shim itself is gone does the record directory decide.
 */

const decoder = new TextDecoder();

/** What to do when the connection is over: says the end, or null where the shim lives and can be connected again. */
export type AfterShim = (directory: string) => Promise<TaskEnd | null>;

export class ShimClient implements Shim {
  readonly directory: string;
  readonly kind: 'native' | 'typescript';
  readonly pid: number;
  readonly #afterShim: AfterShim;
  /** Its intent is on the disk. */
  readonly #stored: Promise<void>;
  #connection: Connection;
  #exit: ExitRecord | null = null;
  /** As it was last told unasked; null: it has to be asked for. */
  #told: ShimStatus | null = null;
  #report: string | null = null;
  #changed: () => void = () => {};
  #change: Promise<void>;
  #closed = false;
  #end: Promise<TaskEnd> | null = null;

  private constructor(
    directory: string,
    { connection, early }: { connection: Connection; early: readonly Frame[] },
    afterShim: AfterShim,
    stored: Promise<void>,
  ) {
    this.directory = directory;
    this.#stored = stored;
    this.#afterShim = afterShim;
    this.kind = connection.hello.kind;
    this.pid = connection.hello.pid;
    this.#change = this.#armed();
    this.#connection = connection;
    this.#adopt(connection, early);
  }

  /** `stored`: what a command is not let go before. */
  static async connect(
    directory: string,
    afterShim: AfterShim,
    stored: Promise<void> = Promise.resolve(),
  ): Promise<ShimClient> {
    return new ShimClient(directory, await Connection.open(directory), afterShim, stored);
  }

  async status(): Promise<ShimStatus> {
    return shimStatus(await this.#json(clientFrame.status));
  }

  async held(): Promise<ShimStatus> {
    return this.#reached(['held', 'running']);
  }

  async report(): Promise<string> {
    return this.#report ?? decoder.decode(await this.#connection.request(clientFrame.report));
  }

  async go(): Promise<ShimStatus> {
    await this.#stored;
    const changed = this.#change;
    await this.#connection.request(clientFrame.go);
    // what comes of it is told
    await changed;
    return this.#reached(['running']);
  }

  async signal(signal: number): Promise<void> {
    await this.#connection.request(clientFrame.signal, field(tag.stopSignal, u32(signal)));
  }

  async stop(options: { readonly signal?: number; readonly timeoutMs?: number } = {}): Promise<void> {
    const parts: Uint8Array[] = [];
    if (options.signal !== undefined) parts.push(field(tag.stopSignal, u32(options.signal)));
    if (options.timeoutMs !== undefined) parts.push(field(tag.stopTimeoutMs, u32(options.timeoutMs)));
    await this.#connection.request(clientFrame.stop, concat(parts));
  }

  async exec(spec: ExecSpec, signal?: AbortSignal): Promise<ShimExec> {
    signal?.throwIfAborted();
    // A connection of its own: when the session is given up, closing it is what kills the command.
    const { connection } = await Connection.open(this.directory);
    const id = connection.nextId();
    const session = new ExecSession(connection, id);
    connection.onFrame = (frame) => sessionFrame(session, id, frame);
    const abort = () => connection.close();
    signal?.addEventListener('abort', abort, { once: true });
    void connection.closed.then(() =>
      session.end({ exitCode: 0, signal: 0, oomKilled: false, unknown: 'connection lost' }),
    );
    void session.exit.then(() => {
      signal?.removeEventListener('abort', abort);
      connection.close();
    });
    try {
      const answer = parseJson(decoder.decode(await connection.request(clientFrame.exec, encodeExec(spec), id)));
      session.pid = Number(answer['pid']);
      return session;
    } catch (error) {
      connection.close();
      throw namingProgram(error, spec.command[0] ?? '');
    }
  }

  async wait(signal?: AbortSignal): Promise<TaskEnd> {
    this.#end ??= this.#untilEnd().catch((error: unknown) => {
      // it may be known later: a record that could not be read now, say
      this.#end = null;
      throw error;
    });
    if (signal === undefined) return this.#end;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      void this.#end?.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }

  async shutdown(): Promise<void> {
    try {
      await this.#connection.request(clientFrame.shutdown);
    } catch (error) {
      if (!isFault(error, 'unavailable')) throw error;
    }
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #reached(states: readonly ShimStatus['state'][]): Promise<ShimStatus> {
    for (;;) {
      const changed = this.#change;
      const status = this.#told ?? (await this.status());
      if (states.includes(status.state) || status.exit?.started === true) return status;
      if (status.exit !== null) throw startFault(status.exit);
      await changed;
    }
  }

  async #untilEnd(): Promise<TaskEnd> {
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
      const connection = this.#connection;
      while (
        this.#exit === null &&
        !(await Promise.race([this.#change.then(() => false), connection.closed.then(() => true)]))
      );
      if (this.#exit !== null) return this.#exit;
      const end = await this.#afterShim(this.directory);
      if (end !== null) return end;
      if (this.#closed) throw new Fault('unavailable', 'this client was closed while waiting');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        const next = await Connection.open(this.directory);
        this.#connection = next.connection;
        this.#adopt(next.connection, next.early);
      } catch (error) {
        if (!isFault(error, 'unavailable')) throw error;
      }
    }
  }

  #armed(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #adopt(connection: Connection, early: readonly Frame[]): void {
    connection.onFrame = (frame) => this.#take(frame);
    for (const frame of early) this.#take(frame);
    void connection.closed.then(() => {
      this.#told = null;
      this.#notify();
    });
  }

  #notify(): void {
    const wake = this.#changed;
    this.#change = this.#armed();
    wake();
  }

  #take(frame: Frame): void {
    if (frame.type === shimFrame.report) this.#report = decoder.decode(frame.payload);
    if (frame.type !== shimFrame.exit && frame.type !== shimFrame.state) return;
    const said = parseJson(decoder.decode(frame.payload));
    if (frame.type === shimFrame.exit) this.#exit = exitRecord(said);
    // shims of before tell the name of the state alone
    this.#told = frame.type === shimFrame.state && 'pid' in said ? shimStatus(said) : null;
    this.#notify();
  }

  async #json(type: number): Promise<unknown> {
    return parseJson(decoder.decode(await this.#connection.request(type)));
  }
}

/** Ends the shim of a directory that has its record, over a connection of its own. No error where there is none. */
export async function shutdownShim(directory: string): Promise<void> {
  try {
    const { connection } = await Connection.open(directory);
    await connection.request(clientFrame.shutdown).finally(() => connection.close());
  } catch (error) {
    if (!isFault(error, 'unavailable')) throw error;
  }
}

function sessionFrame(session: ExecSession, id: number, frame: Frame): void {
  if (frame.type < shimFrame.output || readU32(frame.payload) !== id) return;
  if (frame.type === shimFrame.output) session.take(frame.payload[4] ?? 1, frame.payload.subarray(5));
  if (frame.type === shimFrame.stdinWindow) session.credit(readU32(frame.payload, 4));
  if (frame.type === shimFrame.sessionEnd) {
    const end = parseJson(decoder.decode(frame.payload.subarray(4)));
    session.end({ exitCode: Number(end['code']), signal: Number(end['signal']), oomKilled: false });
  }
}
