/** Plugin processes to be hurt, and tasks of theirs that can be told from everything else on this machine. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { Fault } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { type ExternalDriver, externalDriver } from '../remote/external-driver.ts';
import { removeSocketDirectory } from '../remote/socket-directory.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';
import { type CheckFile, commandCheckFile, type TaskKind } from './check-file.ts';

/** A case that needs a kind of task which nobody described. */
export class NotGiven extends Error {}

export interface CheckedPlugin {
  readonly engine: EngineDriver;
  readonly external: ExternalDriver;
  readonly directory: string;
  /** Of the process that runs now. */
  pid(): number;
  /** `unix:…`, for calls that the driver contract does not have. */
  target(): string;
  /** SIGKILL, and gone. */
  kill(): Promise<void>;
}

const passedOn = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'XDG_RUNTIME_DIR', 'DOCKER_HOST', 'CONTAINER_HOST'];
/** For what a driver ends after it answered, on a busy machine. */
const patienceMs = 10_000;
const markName = 'DROVER_CHECK';

export interface BenchOptions {
  /** The command line of the plugin. */
  readonly command: readonly string[];
  /** Null: tasks are those of a driver with `command` and `args`, where its options are these. */
  readonly file: CheckFile | null;
  /** The operator's options, where no file gives them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly log: Log;
}

export class CheckBench {
  readonly #options: BenchOptions;
  readonly #host: ScratchHost;
  readonly #mark = randomBytes(8).toString('hex');
  readonly #opened: CheckedPlugin[] = [];
  readonly #directories = new Set<string>();
  #count = 0;
  /** How tasks are made; empty until the first plugin was up. */
  file: CheckFile;

  private constructor(options: BenchOptions, host: ScratchHost) {
    this.#options = options;
    this.#host = host;
    const none: CheckFile = { task: () => null, command: [], plugin: options.options, excused: {} };
    this.file = options.file ?? none;
  }

  static async open(options: BenchOptions): Promise<CheckBench> {
    return new CheckBench(options, await openScratchHost({ isolation: false }));
  }

  /** A plugin process of its own; `directory`: that of another, whose process is found again where it still runs. */
  async plugin(directory = join(this.#host.scratch.root, 'plugins', String(this.#count++))): Promise<CheckedPlugin> {
    const { command, log } = this.#options;
    const given = passedOn.flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]] as const],
    );
    const env = Object.fromEntries([...given, [`${markName}_PLUGIN`, this.#mark] as const]);
    const external = externalDriver({
      fileName: command.at(-1)?.split('/').at(-1) ?? 'plugin',
      command,
      config: this.file.plugin,
      env,
      directory,
      log,
      deps: this.#host.deps,
    });
    await external.open();
    if (external.problem !== null) {
      await external.close();
      throw new Fault('unavailable', `the plugin cannot be used: ${external.problem}`);
    }
    const record = (): { pid: number; target: string } =>
      JSON.parse(readFileSync(join(directory, 'plugin.json'), 'utf8')) as { pid: number; target: string };
    const plugin: CheckedPlugin = {
      engine: external.engine,
      external,
      directory,
      pid: () => record().pid,
      target: () => record().target,
      kill: async () => {
        const { pid } = record();
        kill(pid, 'SIGKILL');
        for (let waited = 0; isThere(pid) && waited < 5000; waited += 20) await sleep(20);
      },
    };
    this.#opened.push(plugin);
    this.#directories.add(directory);
    return plugin;
  }

  /** Does the driver look like one of `command` and `args`? */
  async recognize(plugin: CheckedPlugin): Promise<boolean> {
    if (this.#options.file !== null) return true;
    const like = plugin.external.decodeConfig({ command: '/bin/sh', args: ['-c', 'exit 0'] });
    if (like.ok) this.file = commandCheckFile(this.#options.options);
    return like.ok;
  }

  /** `NotGiven`: the file does not say how. */
  async task(
    plugin: CheckedPlugin,
    kind: TaskKind,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<TaskConfig> {
    const options = this.file.task(kind, variables);
    if (options === null) throw new NotGiven(`the file says nothing of a task that ${kind}`);
    const decoded = plugin.external.decodeConfig(literal(options) as Record<string, unknown>);
    if (!decoded.ok) throw new Error(`the options of a task that ${kind} are refused: ${decoded.problems.join(' ')}`);
    const task = await this.#host.scratch.task(decoded.value);
    return { ...task, env: { ...task.env, [markName]: this.#mark, [`${markName}_TASK`]: task.id } };
  }

  /** Processes that carry the mark (of one task, where it is given), as `pid name`. */
  processes(taskId?: string): readonly string[] {
    return carrying(taskId === undefined ? `${markName}=${this.#mark}` : `${markName}_TASK=${taskId}`);
  }

  /** Resolves with what is still there after a moment. */
  async left(taskId?: string): Promise<readonly string[]> {
    for (const end = performance.now() + patienceMs; ; ) {
      const found = this.processes(taskId);
      if (found.length === 0 || performance.now() >= end) return found;
      await sleep(100);
    }
  }

  /** Ends the plugins of one case, whatever state they are in. */
  async clear(): Promise<void> {
    for (const plugin of this.#opened.splice(0)) {
      continueProcess(plugin);
      await plugin.external.close().catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.clear();
    // a plugin that was killed may have processes of its own, beside those of its tasks
    const left = [...this.processes(), ...carrying(`${markName}_PLUGIN=${this.#mark}`)];
    for (const row of left) kill(Number(row.split(' ')[0]), 'SIGKILL');
    for (const directory of this.#directories) await removeSocketDirectory(directory);
    await this.#host.close();
  }
}

/** One that was stopped cannot even end. */
function continueProcess(plugin: CheckedPlugin): void {
  try {
    kill(plugin.pid(), 'SIGCONT');
  } catch {
    // it never came up
  }
}

/** Texts were evaluated already: what looks like a template in them is text. */
function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${').replaceAll('%{', '%%{');
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, literal(each)]));
}

const pids = (): readonly string[] => {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
};

/** `pid name` of each process whose environment has this. */
function carrying(mark: string): readonly string[] {
  return pids().flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)) return [];
      return [`${pid} ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`];
    } catch {
      // it ended, or is not ours to see
      return [];
    }
  });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // one that ended and that nobody waited for is gone too
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended
  }
}
