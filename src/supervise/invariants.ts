import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Recovered, StartRecord, Supervisor, TaskEnd } from './contract.ts';
import { scratchRecord } from './scratch-record.ts';
import { startTimeOf } from './this-host.ts';

/**
 * For tests: what must hold after every fault of supervision, whatever was killed or refused (the list is in README.md). Each check throws
 * and names the invariant. One task at a time is looked at; the tasks carry `env`. Linux.
 */
export class SupervisionInvariants {
  readonly #supervisor: Supervisor;
  readonly #base: string;
  readonly #innocents = new Innocents();
  readonly #acknowledged = new Set<string>();
  readonly #seen = new Map<string, string>();
  #before: Resources | null = null;
  #fresh = 0;

  /** `base`: the directory of all records and outputs of the test. */
  constructor(supervisor: Supervisor, base: string) {
    this.#supervisor = supervisor;
    this.#base = base;
    for (let at = 0; at < 3; at++) this.#innocents.start(`while :; do sleep 1; done # ${base}`);
  }

  /** By this every process of a task that is checked is known. */
  get env(): Readonly<Record<string, string>> {
    return { PATH: '/usr/local/bin:/usr/bin:/bin', DROVER_CHECKED: this.#base };
  }

  /** Somebody was told that this start is under way: from now on its record must be there. */
  acknowledge(record: Pick<StartRecord, 'directory'>): void {
    this.#acknowledged.add(record.directory);
  }

  /** All nine, once the fault is over. A task that still runs is left running. */
  async check(record: StartRecord): Promise<void> {
    await this.#oneInstance();
    const found = await this.#supervisor.recover(record.directory);
    if (found.state === 'present') found.shim.close();
    else await this.#nothingLeft(record);
    if (found.state === 'ended') truthful(record, found.end);
    this.#innocents.check();
    if (found.state === 'ended') bytesStored(record, found.end);
    if (found.state === 'absent' && this.#acknowledged.has(record.directory))
      throw new Error(`invariant 6: the acknowledged start ${record.directory} is gone`);
    this.#forward(record, found);
    await this.#newTaskRuns();
    this.#backToBaseline();
  }

  end(): void {
    this.#innocents.end();
  }

  /** 1; a process between fork and the end of its parent can seem to be two: what is really twice stays so. */
  async #oneInstance(): Promise<void> {
    if (this.#roots().length <= 1) return;
    await pause(200);
    const still = this.#roots();
    if (still.length > 1) throw new Error(`invariant 1: running twice: ${still.join(', ')}`);
  }

  /** 3: what was killed with a unit may take a moment to be gone. */
  async #nothingLeft(record: StartRecord): Promise<void> {
    const left = () => [
      ...this.#roots().map((pid) => `process ${pid}`),
      ...holders(record.directory).map((pid) => `supervisor ${pid}`),
      ...mounts(this.#base).map((path) => `mount ${path}`),
    ];
    for (let round = 0; round < 500 && left().length > 0; round++) await pause(10);
    if (left().length > 0) throw new Error(`invariant 3: of ${record.directory} is left: ${left().join(', ')}`);
  }

  /** 7: what never started or has ended stays so, and an end that was told is told again. */
  #forward(record: StartRecord, found: Recovered): void {
    const now = found.state === 'ended' ? `ended ${text(found.end)}` : found.state;
    const before = this.#seen.get(record.directory);
    const isOver = before === 'never-started' || before?.startsWith('ended') === true;
    if (isOver && before !== now) throw new Error(`invariant 7: ${record.directory} went from ${before} to ${now}`);
    this.#seen.set(record.directory, now);
  }

  /** 8 */
  async #newTaskRuns(): Promise<void> {
    const record = scratchRecord(join(this.#base), 1_000_000 + this.#fresh++, ['true'], {
      env: { PATH: this.env['PATH']! },
      output: { mode: 'discard' },
    });
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('invariant 8: a new task has not run within 5 s')), 5_000).unref();
    });
    const run = async () => {
      const shim = await this.#supervisor.start(record);
      const end = await shim.wait();
      await shim.shutdown();
      if (end.unknown !== null || end.code !== 0) throw new Error(`invariant 8: a new task ended as ${text(end)}`);
    };
    await Promise.race([run(), late]);
    rmSync(record.directory, { recursive: true, force: true });
  }

  /** 9: of the agent, which this process is; the first check sets the measure. */
  #backToBaseline(): void {
    const now = resources(process.pid);
    this.#before ??= now;
    const { descriptors, threads, memoryMb } = this.#before;
    if (now.descriptors > descriptors + 6 || now.threads > threads + 2 || now.memoryMb > memoryMb * 1.5 + 100)
      throw new Error(`invariant 9: ${JSON.stringify(this.#before)} became ${JSON.stringify(now)}`);
  }

  /** Processes of tasks that no other process of a task started. */
  #roots(): readonly string[] {
    const parents = new Map<string, string>();
    for (const pid of pids()) {
      if (!read(`/proc/${pid}/environ`).split('\0').includes(`DROVER_CHECKED=${this.#base}`)) continue;
      const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)!.split(' ');
      if (fields[0] !== 'Z' && fields[0] !== '') parents.set(pid, fields[1] ?? '');
    }
    return [...parents].filter(([, parent]) => !parents.has(parent)).map(([pid]) => pid);
  }
}

/** Invariant 4: processes that look like tasks and are none. */
export class Innocents {
  readonly #all: { readonly process: ChildProcess; readonly startTime: bigint }[] = [];

  /** `sh` with this script; the pid. */
  start(script: string): number {
    const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' });
    this.#all.push({ process: child, startTime: startTimeOf(child.pid!) });
    return child.pid!;
  }

  check(): void {
    for (const { process: child, startTime } of this.#all) {
      const isStopped = / [Tt] /.test(read(`/proc/${child.pid}/stat`).replace(/^.*\)/s, ')'));
      if (startTimeOf(child.pid!) === startTime && startTime !== 0n && !isStopped) continue;
      throw new Error(`invariant 4: the innocent process ${child.pid} was signalled: ${child.signalCode}`);
    }
  }

  end(): void {
    for (const { process: child } of this.#all) if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
  }
}

export interface Resources {
  readonly descriptors: number;
  readonly threads: number;
  readonly memoryMb: number;
}

/** What a process holds now. */
export function resources(pid: number): Resources {
  const status = read(`/proc/${pid}/status`);
  const number = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: number('Threads'),
    memoryMb: number('VmRSS') / 1024,
  };
}

/** 2: a code only where the shim wrote it down, and else the reason why nobody knows. */
function truthful(record: StartRecord, end: TaskEnd): void {
  const file = join(record.directory, 'exit.json');
  if (end.unknown !== null) {
    if (existsSync(file) && end.unknown !== 'record-unreadable')
      throw new Error(`invariant 2: a record is there, and the end of ${record.directory} is ${text(end)}`);
    return;
  }
  const { code, signal, by } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  if (code !== end.code || signal !== end.signal || by !== end.by)
    throw new Error(
      `invariant 2: ${record.directory} is told as ${text(end)}, its record says ${code}/${signal} ${by}`,
    );
}

/** 5: what the record counts as stored lies in the files, as far as rotation has not taken the first away. */
function bytesStored({ directory, output }: StartRecord, end: TaskEnd): void {
  if (end.unknown !== null || output.mode !== 'rotate') return;
  for (const stream of ['stdout', 'stderr'] as const) {
    const files = readdirSync(output.directory).filter((name) => name.startsWith(`${output[stream]}.`));
    if (files.length > 0 && !files.includes(`${output[stream]}.0`)) continue;
    const bytes = files.reduce((sum, name) => sum + statSync(join(output.directory, name)).size, 0);
    if (BigInt(bytes) !== end[stream].stored)
      throw new Error(`invariant 5: ${directory}: ${stream} has ${bytes} bytes, counted are ${end[stream].stored}`);
  }
}

/** Supervisors hold files of their record open. */
const holders = (directory: string): readonly string[] =>
  pids().filter((pid) =>
    list(`/proc/${pid}/fd`).some((fd) => link(`/proc/${pid}/fd/${fd}`).startsWith(`${directory}/`)),
  );

const mounts = (directory: string): readonly string[] =>
  read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));

const pids = (): readonly string[] => list('/proc').filter((name) => /^\d+$/.test(name));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (end: TaskEnd): string =>
  JSON.stringify(end, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
const read = (path: string): string => attempt(() => readFileSync(path, 'utf8'), '');
const list = (path: string): readonly string[] => attempt(() => readdirSync(path), []);
const link = (path: string): string => attempt(() => readlinkSync(path), '');

/** What is gone meanwhile is nothing. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
