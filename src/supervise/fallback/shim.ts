import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { StartRecord } from '../contract.ts';
import { emptyKillUnit } from '../kill-unit.ts';
import { startErrorOf } from '../start-fault.ts';
import { bootId, startTimeOf } from '../this-host.ts';
import { clientFrame, type Frame, readU32, shimFrame } from '../wire.ts';
import { type Prepared, prepareCommand } from './command.ts';
import { decodeExec, decodeStop } from './decode-start.ts';
import { FifoSink, holdFifo, removeFifo } from './fifo.ts';
import { LogFile, type Sink } from './log-file.ts';
import { oomKills } from './oom.ts';
import { type Client, type Handler, ShimServer } from './server.ts';
import { FallbackSession, signalNumber } from './session.ts';

/**
 * The TypeScript shim: starting → held → running → ending → ended, like the native one, with what Node can do. It holds a
 * command by a waiting shell, kills by process group or cgroup, and refuses by name what it cannot do.
 */

type State = 'starting' | 'held' | 'running' | 'ending' | 'ended';

const DRAIN_MS = 2000;

function big(sink: Sink | null): { stored: string; dropped: string } {
  return { stored: `${sink?.stored ?? 0n}`, dropped: `${sink?.dropped ?? 0n}` };
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

export class FallbackShim implements Handler {
  readonly #record: StartRecord;
  #server: ShimServer | null = null;
  #state: State = 'starting';
  #prepared: Prepared | null = null;
  #sinks: (Sink | null)[] = [null, null];
  #sources: (Readable | null)[] = [null, null];
  /** Made and held for whoever else runs the task. */
  readonly #fifos: { readonly path: string; readonly fd: number }[] = [];
  #sessions = new Map<Client, Map<number, FallbackSession>>();
  #startedAt = 0n;
  #finishedAt = 0n;
  #status = { code: 0, signal: 0 };
  #asked: 'stop' | 'kill' | 'signal' | 'never-started' | null = null;
  #error: { stage: string; errno: number; message: string } | null = null;
  #goTimer: NodeJS.Timeout | null = null;
  #stopAt = 0;
  #stopTimer: NodeJS.Timeout | null = null;
  #leftover = 0;
  #oomKills = 0;
  #exit: unknown = null;

  private constructor(record: StartRecord) {
    this.#record = record;
  }

  /** Resolves once the socket listens and the command is held (or could not be made, which the exit record then says). */
  static async start(record: StartRecord): Promise<FallbackShim> {
    const shim = new FallbackShim(record);
    const identity = {
      version: 1,
      pid: process.pid,
      startTime: `${startTimeOf(process.pid)}`,
      bootId: bootId(),
      kind: 'typescript',
    };
    try {
      writeFileSync(join(record.directory, 'shim.pid'), JSON.stringify(identity), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw new Fault('exists', `shim.pid: ${messageOf(error)}`);
    }
    shim.#openSinks();
    shim.#server = await ShimServer.listen(record.directory, shim);
    process.chdir('/');
    await shim.#launch();
    return shim;
  }

  exit(): unknown {
    return this.#exit;
  }

  async request(client: Client, type: number, id: number, fields: Uint8Array): Promise<void> {
    switch (type) {
      case clientFrame.status:
        return client.answer(id, this.#statusJson());
      case clientFrame.go:
        this.#go();
        break;
      case clientFrame.signal:
        this.#signal(decodeStop(fields).signal ?? 0);
        break;
      case clientFrame.stop:
        this.#stop(decodeStop(fields));
        break;
      case clientFrame.exec:
        return this.#exec(client, id, fields);
      case clientFrame.report:
        return client.answer(id, '');
      case clientFrame.shutdown:
        if (this.#state !== 'ended') throw new Fault('conflict', 'the task is still there');
        rmSync(join(this.#record.directory, 'shim.sock'), { force: true });
        client.answer(id, {});
        await this.#server?.close();
        return process.exit(0);
      default:
        throw new Fault('unsupported', 'unknown request');
    }
    client.answer(id, {});
  }

  stream(client: Client, frame: Frame): void {
    const session = this.#sessions.get(client)?.get(readU32(frame.payload));
    if (session === undefined) return;
    if (frame.type === clientFrame.stdin) session.stdin(frame.payload.subarray(4));
    if (frame.type === clientFrame.stdinEnd) session.stdinEnd();
    if (frame.type === clientFrame.window) session.credit(frame.payload[4] ?? 1, readU32(frame.payload, 5));
    if (frame.type === clientFrame.sessionSignal) session.signal(readU32(frame.payload, 4));
  }

  #openSinks(): void {
    const output = this.#record.output;
    if (output.mode === 'forward') this.#sinks = [new FifoSink(output.stdout), new FifoSink(output.stderr)];
    if (output.mode === 'rotate' || output.mode === 'collect')
      this.#sinks = [new LogFile(output, output.stdout), new LogFile(output, output.stderr)];
  }

  #pump(which: number, source: Readable | null): void {
    const sink = this.#sinks[which] ?? null;
    this.#sources[which] = source;
    source?.on('data', (data: Buffer) => {
      if (sink !== null && !sink.write(data)) source.pause();
    });
    source?.on('error', () => {});
    sink?.onReady(() => source?.resume());
  }

  async #launch(): Promise<void> {
    const { output, launcher } = this.#record;
    if (launcher.kind === 'none') {
      const fifos = output.mode === 'collect' ? [output.stdoutFifo, output.stderrFifo] : [];
      for (const [which, path] of fifos.entries()) {
        const fd = holdFifo(path, true);
        this.#fifos.push({ path, fd });
        this.#pump(which, new Socket({ fd, readable: true, writable: false }));
      }
      this.#running();
      return;
    }
    try {
      const { command, env, identity, cgroups, workDir = '/' } = this.#record;
      this.#prepared = await prepareCommand({ command, env, identity, cgroups, workDir, stdin: 'ignore' });
    } catch (error) {
      if (isFault(error, 'unsupported')) throw error;
      const errno = isFault(error, 'not_found') ? 2 : 13;
      this.#error = startErrorOf(error) ?? { stage: 'execve', errno, message: messageOf(error) };
      await this.#ending();
      return;
    }
    const { child } = this.#prepared;
    this.#pump(0, child.stdout);
    this.#pump(1, child.stderr);
    child.once('exit', (code, name) => void this.#ended(code ?? 0, signalNumber(name)));
    this.#to('held');
    if (this.#record.gate === undefined) this.#go();
    else this.#goTimer = setTimeout(() => this.#never(), this.#record.gate.timeoutMs);
  }

  #to(state: State): void {
    this.#state = state;
    if (state !== 'ended') this.#server?.broadcast(shimFrame.state, this.#statusJson());
  }

  #running(): void {
    this.#startedAt = nowNs();
    this.#to('running');
  }

  #go(): void {
    if (this.#state !== 'held' || this.#asked !== null) throw new Fault('conflict', 'nothing is held');
    if (this.#goTimer !== null) clearTimeout(this.#goTimer);
    this.#prepared?.release();
    this.#running();
  }

  #never(): void {
    this.#asked = 'never-started';
    this.#killGroup();
  }

  #signal(signal: number): void {
    if (signal < 1 || signal > 64) throw new Fault('invalid', 'signal: 1 to 64');
    if (this.#state !== 'running' || this.#prepared === null) throw new Fault('conflict', 'the task is not running');
    this.#asked ??= 'signal';
    this.#prepared.child.kill(signal);
  }

  #stop(options: { signal: number | undefined; timeoutMs: number | undefined }): void {
    const signal = options.signal ?? this.#record.stop?.signal ?? 15;
    const timeoutMs = options.timeoutMs ?? this.#record.stop?.timeoutMs ?? 5000;
    if (signal < 1 || signal > 64) throw new Fault('invalid', 'signal: 1 to 64');
    if (this.#state === 'held') this.#never();
    if (this.#state !== 'running') return;
    const again = this.#asked === 'stop' || this.#asked === 'kill';
    this.#asked = this.#asked === 'kill' ? 'kill' : 'stop';
    if (this.#prepared === null) {
      void this.#ended(0, 0);
      return;
    }
    if (!again) this.#prepared.child.kill(signal);
    const at = Date.now() + timeoutMs;
    if (this.#stopTimer !== null && at >= this.#stopAt) return;
    if (this.#stopTimer !== null) clearTimeout(this.#stopTimer);
    this.#stopAt = at;
    this.#stopTimer = setTimeout(() => {
      this.#asked = 'kill';
      this.#killGroup();
    }, timeoutMs);
  }

  #killGroup(): void {
    const pid = this.#prepared?.child.pid;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  }

  async #ended(code: number, signal: number): Promise<void> {
    // The group's number is taken while members live; those go first, at once.
    this.#killGroup();
    this.#status = { code, signal };
    if (this.#startedAt === 0n && this.#asked !== 'never-started') {
      this.#error = { stage: 'held', errno: 0, message: 'the process ended before it was released' };
    }
    await this.#ending();
  }

  async #ending(): Promise<void> {
    this.#finishedAt = nowNs();
    for (const timer of [this.#goTimer, this.#stopTimer]) if (timer !== null) clearTimeout(timer);
    this.#to('ending');
    for (const sessions of this.#sessions.values()) for (const session of sessions.values()) session.kill();
    if (this.#prepared !== null) {
      const { processes, unread } = await emptyKillUnit(this.#record.killUnit);
      // at least one, for all that is known
      this.#leftover = processes || (unread === '' ? 0 : 1);
    }
    this.#oomKills = oomKills(this.#record.memoryCgroup);
    await this.#drain();
    for (const sink of this.#sinks) sink?.close();
    this.#writeRecord();
    this.#state = 'ended';
    this.#server?.broadcast(shimFrame.exit, this.#exit);
  }

  async #drain(): Promise<void> {
    for (const { path, fd } of this.#fifos) removeFifo(path, fd);
    const open = this.#sources.filter((source) => source !== null && !source.closed);
    const waitMs = this.#record.launcher.kind === 'none' ? 50 : DRAIN_MS;
    const closed = Promise.all(open.map((source) => new Promise((resolve) => source?.once('close', resolve))));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([closed, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    for (const source of open) source?.destroy();
  }

  #by(): string {
    if (this.#asked === 'never-started') return 'never-started';
    if (this.#error !== null) return 'start-failed';
    if (this.#oomKills > 0 && this.#status.signal === 9 && this.#asked !== 'kill') return 'oom';
    if (this.#asked === 'signal' && this.#status.signal === 0) return 'task';
    return this.#asked ?? 'task';
  }

  #writeRecord(): void {
    const { signal, code } = this.#status;
    const failed = this.#error?.errno === 2 ? 127 : 126;
    const by = this.#by();
    this.#exit = {
      version: 1,
      kind: 'typescript',
      bootId: bootId(),
      pid: this.#prepared?.child.pid ?? 0,
      started: this.#startedAt !== 0n,
      code: by === 'start-failed' ? failed : by === 'never-started' ? 0 : signal === 0 ? code : 128 + signal,
      signal: this.#startedAt === 0n ? 0 : signal,
      coreDumped: false,
      oomKilled: this.#oomKills > 0,
      oomKills: this.#oomKills,
      by,
      startedAt: `${this.#startedAt}`,
      finishedAt: `${this.#finishedAt}`,
      killUnit: this.#record.killUnit.kind,
      leftover: this.#leftover,
      stdout: big(this.#sinks[0] ?? null),
      stderr: big(this.#sinks[1] ?? null),
      error: this.#error,
    };
    this.#store();
  }

  /** A disk that is full now is tried again each second; who is connected is told meanwhile. */
  #store(): void {
    const { directory } = this.#record;
    try {
      const fd = openSync(join(directory, 'exit.json.new'), 'w', 0o600);
      writeFileSync(fd, JSON.stringify(this.#exit));
      fsyncSync(fd);
      closeSync(fd);
      renameSync(join(directory, 'exit.json.new'), join(directory, 'exit.json'));
      if (process.platform !== 'win32') {
        const folder = openSync(directory, 'r');
        fsyncSync(folder);
        closeSync(folder);
      }
    } catch {
      setTimeout(() => this.#store(), 1000);
    }
  }

  #statusJson(): unknown {
    const there = this.#prepared !== null && (this.#state === 'held' || this.#state === 'running');
    const pid = there ? (this.#prepared?.child.pid ?? 0) : 0;
    return {
      state: this.#state,
      pid,
      startTime: `${pid === 0 ? 0n : startTimeOf(pid)}`,
      startedAt: `${this.#startedAt}`,
      bootId: bootId(),
      killUnit: this.#record.killUnit.kind,
      processes: 0,
      stdout: big(this.#sinks[0] ?? null),
      stderr: big(this.#sinks[1] ?? null),
      exit: this.#state === 'ended' ? this.#exit : null,
    };
  }

  async #exec(client: Client, id: number, fields: Uint8Array): Promise<void> {
    const spec = decodeExec(fields);
    if (this.#state !== 'running' || this.#prepared === null) throw new Fault('conflict', 'the task is not running');
    if (spec.tty === true) throw new Fault('unsupported', 'the TypeScript shim has no terminals: build the native one');
    const own = spec.host === true ? {} : { ...this.#record.identity, ...spec.user };
    const cgroups = spec.host === true ? [] : this.#record.cgroups;
    const prepared = await prepareCommand({
      command: spec.command,
      env: spec.env,
      workDir: spec.workDir ?? '/',
      identity: own,
      cgroups,
      stdin: 'pipe',
    });
    const session = new FallbackSession(client, id, prepared);
    const sessions = this.#sessions.get(client) ?? new Map<number, FallbackSession>();
    this.#sessions.set(client, sessions.set(id, session));
    session.onOver = () => sessions.delete(id);
    client.onRoom = () => {
      for (const each of sessions.values()) each.flush();
    };
    client.onGone = () => {
      for (const each of sessions.values()) each.kill();
      this.#sessions.delete(client);
    };
    client.answer(id, { session: id, pid: prepared.child.pid });
    prepared.release();
  }
}
