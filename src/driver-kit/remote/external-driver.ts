/**
 * A driver whose plugin is a program of its own: started when first needed, started again when it died, found again after a crash of
 * the agent, replaced by a newer version while its tasks run. Whoever waits for a task is told that the plugin is gone and asks again;
 * the plugin that comes next has been told of every task before anybody asks it.
 *
 *   down ──(somebody asks, back-off over)──▶ opening ──▶ up ──(process ended, or answers no more)──▶ down
 *                                              │          └──(reload: the next version is up and has the tasks)──▶ up
 *                                              └──(failed)──▶ down, with the reason and a longer back-off
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { toBinary } from '@bufbuild/protobuf';
import { decodeThroughSpec } from '../../driver/config-chain.ts';
import type { Decoded } from '../../driver/config-decode.ts';
import type { EngineDriver, TaskConfig, TaskHandleState } from '../../driver/contract.ts';
import { type Spec, SpecSchema } from '../../driver/gen/nomad/hclspec_pb.ts';
import type { Value } from '../../hcl/index.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { HostDeps } from '../driver-plugin.ts';
import { engineOf } from './external-engine.ts';
import {
  fileChecksum,
  type LaunchedPlugin,
  type LaunchOptions,
  launchPlugin,
  reattachPlugin,
} from './launch-plugin.ts';
import { DevicePlugin, type OpenPlugin, openPlugin } from './open-plugin.ts';
import { type CallLimits, defaultLimits } from './plugin-calls.ts';
import { PluginFaults } from './plugin-faults.ts';
import { type Known, readKnown, writeKnown } from './plugin-memory.ts';

export interface PluginProgram extends Omit<LaunchOptions, 'log' | 'directory' | 'flooded' | 'supervisor'> {
  /** The operator's options as written. */
  readonly config: unknown;
  /** Default: 30 s for questions, an hour for starts. */
  readonly limits?: CallLimits;
}

export interface ExternalDriverOptions extends PluginProgram, Pick<LaunchOptions, 'log' | 'directory'> {
  /** The program's file name: what the driver is called until it has said its own name. */
  readonly fileName: string;
  readonly deps: HostDeps;
  /** Called each time a plugin is up, or has turned out to be no driver. */
  readonly up?: () => void;
}

/** How a plugin is, for people. */
export interface PluginStatus {
  readonly fileName: string;
  /** Null: it was never up, so nobody knows. */
  readonly driver: string | null;
  readonly version: string;
  readonly program: string;
  /** SHA-256 of the program that runs; `""`: none does. */
  readonly checksum: string;
  readonly pid: number;
  /** Null: it is up. */
  readonly problem: string | null;
  readonly tasks: number;
}

export type Reloaded = 'unchanged' | 'replaced' | 'started';

export interface ExternalDriver {
  readonly engine: EngineDriver;
  /** The reason why it is not up; null: it is. */
  readonly problem: string | null;
  /** The name of the device plugin that it turned out to be. */
  readonly device: string | null;
  /** Null until it said so, now or in an earlier life of the agent. */
  readonly taskSchema: Spec | null;
  /** The same as bytes. */
  schemaBytes(): Uint8Array | null;
  status(): PluginStatus;
  /** Resolves when the first attempt is over, however it went. */
  open(): Promise<void>;
  /**
   * Takes up what has changed in program, arguments or options. The new version is up and has every running task before the old one
   * ends; faults leave the old one as it was.
   */
  reload(program: PluginProgram): Promise<Reloaded>;
  decodeConfig(config: Readonly<Record<string, unknown>>): Decoded<unknown>;
  decodeTemplates(config: Readonly<Record<string, unknown>>, variables: ReadonlyMap<string, Value>): Decoded<unknown>;
  /** The plugin's process ends (its tasks stay). */
  close(): Promise<void>;
}

interface Up extends OpenPlugin {
  readonly process: LaunchedPlugin;
}

const firstBackoffMs = 500;
const longestBackoffMs = 120_000;
const shutdownMs = 2_000;
const noticedMs = 200;
/** How long a start that nobody wants may run at the most before it is seen. */
const lookAgainMs = 15_000;
/** A plugin that lives but takes no calls is given so long before it is ended and started again. */
const silentMs = 3_000;

export function externalDriver(options: ExternalDriverOptions): ExternalDriver {
  return new External(options);
}

export class External implements ExternalDriver {
  readonly engine: EngineDriver;
  readonly faults = new PluginFaults();
  problem: string | null = 'it was not started yet';
  device: string | null = null;
  /** Of tasks that a plugin took: what the next one has to be told. */
  readonly tasks = new Map<string, { readonly task: TaskConfig; readonly state: TaskHandleState }>();
  /** Starts that were handed to the plugin and are not answered yet: a reload waits for them. */
  readonly starting = new Set<Promise<unknown>>();
  readonly options: ExternalDriverOptions;
  readonly #life = new AbortController();
  #program: PluginProgram;
  #up: Up | null = null;
  #opening: Promise<Up> | null = null;
  #reloading: Promise<unknown> | null = null;
  #failures = 0;
  #notBefore = 0;
  #last: OpenPlugin | null = null;
  readonly #known: Known | null;

  constructor(options: ExternalDriverOptions) {
    this.options = options;
    this.#program = options;
    this.#known = readKnown(options.directory);
    this.engine = engineOf(this);
  }

  /** What the plugin said of itself last, also in an earlier life of the agent. */
  get last(): Pick<OpenPlugin, 'driver'> | Known | null {
    return this.#last ?? this.#known;
  }

  get taskSchema(): Spec | null {
    return this.#last?.taskSchema ?? this.#known?.taskSchema ?? null;
  }

  schemaBytes(): Uint8Array | null {
    return this.taskSchema === null ? null : toBinary(SpecSchema, this.taskSchema);
  }

  get deps(): HostDeps {
    return this.options.deps;
  }

  status(): PluginStatus {
    const info = this.last?.driver.info;
    return {
      fileName: this.options.fileName,
      driver: info?.name ?? null,
      version: info?.version ?? '',
      program: this.#program.command.join(' '),
      checksum: this.#up?.process.checksum ?? '',
      pid: this.#up?.process.pid ?? 0,
      problem: this.problem,
      tasks: this.tasks.size,
    };
  }

  readonly #asking = (method: string): void => {
    if (this.#up === null) this.problem = `it has not answered ${method} yet`;
  };

  async open(): Promise<void> {
    await this.current().catch(() => {});
  }

  /** The driver of a plugin that runs. `Fault('unavailable')`, worth trying again, while it does not. */
  async current(): Promise<EngineDriver> {
    await this.#reloading?.catch(() => {});
    if (this.#life.signal.aborted) throw new Fault('unavailable', 'the agent is stopping');
    if (this.#up !== null) return this.#up.driver;
    if (this.#opening === null) {
      if (Date.now() < this.#notBefore) throw this.#unavailable();
      this.#opening = this.#start().finally(() => {
        this.#opening = null;
      });
    }
    return (await this.#opening).driver;
  }

  #unavailable(): Fault {
    return new Fault('unavailable', `plugin ${this.options.fileName}: ${this.problem}`, { recoverable: true });
  }

  async #start(): Promise<Up> {
    const { log, fileName } = this.options;
    try {
      const up = await this.#connect();
      await this.#tell(up).catch((error: unknown) =>
        log.warn('a task was lost by its plugin', { error: messageOf(error) }),
      );
      this.#use(up);
      log.info('a plugin is up', { plugin: fileName, pid: up.process.pid, found_again: up.process.reattached });
      return up;
    } catch (error) {
      this.#failed(messageOf(error));
      if (error instanceof DevicePlugin) {
        this.device = error.device;
        this.#notBefore = Number.POSITIVE_INFINITY;
        this.options.up?.();
      }
      log.error('a plugin cannot be used', { plugin: fileName, reason: this.problem });
      throw isFault(error)
        ? new Fault('unavailable', `plugin ${fileName}: ${error.message}`, { cause: error, recoverable: true })
        : error;
    }
  }

  #use(up: Up): void {
    up.process.use();
    this.#up = up;
    this.#last = up;
    this.problem = null;
    const startedAt = Date.now();
    void up.process.ended.then(() => this.#died(up, startedAt));
    this.options.up?.();
    void writeKnown(this.options.directory, up).catch(() => {});
  }

  async #connect(): Promise<Up> {
    this.problem = `it has not said its handshake yet${this.#failures === 0 ? '' : ` (before: ${this.problem})`}`;
    const found = await reattachPlugin(this.#launch(this.#program));
    if (found !== null) {
      try {
        return await this.#configure(found, this.#program);
      } catch (error) {
        this.options.log.warn('a plugin found again does not answer; it is started anew', {
          reason: messageOf(error),
        });
      }
    }
    return this.#configure(await launchPlugin(this.#launch(this.#program), this.#life.signal), this.#program);
  }

  #launch(program: PluginProgram): LaunchOptions {
    const { log, directory } = this.options;
    const flooded = (): void => this.faults.add('its log: more than anybody reads; the rest is left out', false);
    return { ...program, log, directory, supervisor: this.deps.supervisor, flooded };
  }

  async #configure(process: LaunchedPlugin, { config, limits = defaultLimits }: PluginProgram): Promise<Up> {
    const { target, credentials, reattached: configured } = process;
    const gone = endOf(process);
    try {
      const opened = await openPlugin(
        { target, credentials, config, configured, limits, faults: this.faults, asking: this.#asking },
        AbortSignal.any([this.#life.signal, gone]),
      );
      const expected = this.last?.driver.info.name;
      if (this.tasks.size > 0 && expected !== undefined && opened.driver.info.name !== expected)
        throw new Fault(
          'conflict',
          `the plugin is called ${opened.driver.info.name} now, but tasks of ${expected} are running`,
        );
      return { ...opened, process };
    } catch (error) {
      // the call is heard of first, the end of the process a moment later
      if (isFault(error, 'unavailable')) await Promise.race([process.ended, sleep(noticedMs)]);
      const ended = gone.aborted;
      await process.stop();
      // a call that was cut short by the end says less than the end
      throw ended ? new Fault('unavailable', `the plugin ended while it was asked (${messageOf(error)})`) : error;
    }
  }

  /** A plugin hears of every task that runs. Rejects with the first that it does not take. */
  async #tell(up: Up): Promise<void> {
    const signal = AbortSignal.any([this.#life.signal, endOf(up.process)]);
    const told = await Promise.allSettled(
      [...this.tasks.values()].map(({ task, state }) => up.driver.recover(task, state, signal)),
    );
    const lost = told.find((each) => each.status === 'rejected');
    if (lost !== undefined) throw lost.reason;
  }

  async reload(program: PluginProgram): Promise<Reloaded> {
    await this.#opening?.catch(() => {});
    const before = this.#up;
    if (before === null) {
      this.#program = program;
      this.#notBefore = 0;
      await this.current();
      return 'started';
    }
    const checksum = await fileChecksum(program.command[0] ?? '').catch(() => '');
    if (checksum === before.process.checksum && shapeOf(program) === shapeOf(this.#program)) return 'unchanged';
    const next = await this.#configure(await launchPlugin(this.#launch(program), this.#life.signal), program);
    const swap = this.#swap(before, next);
    this.#reloading = swap;
    try {
      await swap;
    } finally {
      this.#reloading = null;
    }
    this.#program = program;
    await before.driver.close();
    await before.process.stop();
    return 'replaced';
  }

  async #swap(before: Up, next: Up): Promise<void> {
    const { log, fileName } = this.options;
    try {
      const name = before.driver.info.name;
      if (next.driver.info.name !== name)
        throw new Fault('conflict', `the new program is the driver ${next.driver.info.name}, not ${name}`);
      await Promise.allSettled(this.starting);
      await this.#tell(next);
    } catch (error) {
      await next.driver.close();
      await next.process.stop();
      throw new Fault('unavailable', `the new version does not take over: ${messageOf(error)}`, { cause: error });
    }
    this.#use(next);
    const [from, to] = [before.driver.info.version, next.driver.info.version];
    log.info('a plugin was replaced', { plugin: fileName, from, to, pid: next.process.pid, tasks: this.tasks.size });
  }

  /** A call found nobody: the plugin ends, or must. */
  silent(driver: EngineDriver): void {
    const up = this.#up;
    if (up === null || up.driver !== driver) return;
    void sleep(silentMs, undefined, { ref: false }).then(async () => {
      if (this.#up !== up || this.#life.signal.aborted) return;
      const answers = await up.driver
        .inspect('', AbortSignal.timeout(silentMs))
        .then(() => true)
        .catch((error: unknown) => !isFault(error, 'unavailable'));
      if (answers || this.#up !== up) return;
      this.faults.add('its process runs, but takes no calls', true);
      await up.process.stop();
    });
  }

  /**
   * It has no such task. But a process that a former agent started may still be at a start that this one gave up when it died: what comes
   * through of it is ended. Resolves when that can be no more.
   */
  async mayStillStart(taskId: string): Promise<void> {
    const up = this.#up;
    if (up?.process.reattached !== true) return;
    const signal = AbortSignal.any([this.#life.signal, endOf(up.process)]);
    const until = Date.now() + (this.#program.limits ?? defaultLimits).startMs;
    for (let pauseMs = firstBackoffMs; Date.now() < until; pauseMs = Math.min(2 * pauseMs, lookAgainMs)) {
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      const ended = await up.driver.destroy(taskId, { force: true }, signal).then(
        () => true,
        () => false,
      );
      if (!ended) continue;
      this.options.log.warn('a start that a former agent had given up came through; it was ended', { task: taskId });
      return;
    }
  }

  #died(up: Up, startedAt: number): void {
    if (this.#up !== up) return;
    this.#up = null;
    if (this.#life.signal.aborted) return;
    // one that ran for a while is started again at once
    if (Date.now() - startedAt > 60_000) this.#failures = 0;
    this.#failed('the plugin ended');
    this.faults.add('its process ended by itself', false);
    this.options.log.warn('a plugin ended; it is started again', { plugin: this.options.fileName });
    void up.driver.close();
    void sleep(Math.max(0, this.#notBefore - Date.now()), undefined, { signal: this.#life.signal, ref: false })
      .then(() => this.open())
      .catch(() => {});
  }

  #failed(reason: string): void {
    this.problem = reason;
    const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** this.#failures++);
    this.#notBefore = Date.now() + backoffMs;
  }

  decodeConfig(config: Readonly<Record<string, unknown>>): Decoded<unknown> {
    return this.decodeTemplates(config, new Map());
  }

  decodeTemplates(config: Readonly<Record<string, unknown>>, variables: ReadonlyMap<string, Value>): Decoded<unknown> {
    // not a fault of the job: it can be tried again
    if (this.#last === null) throw this.#unavailable();
    const decoded = decodeThroughSpec(config, this.#last.taskSpec, variables);
    return decoded.ok ? { ok: true, value: decoded.msgpack } : decoded;
  }

  async close(): Promise<void> {
    this.#life.abort();
    const up = this.#up;
    this.#up = null;
    if (up === null) return;
    await up.driver.close();
    await Promise.race([up.process.stop(), sleep(2 * shutdownMs + 500, undefined, { ref: false })]);
  }
}

/** What, when it changes, asks for a new process. */
function shapeOf({ command, config, env, limits, tls }: PluginProgram): string {
  return JSON.stringify([command, config, env, limits ?? defaultLimits, tls ?? false]);
}

function endOf(process: LaunchedPlugin): AbortSignal {
  const controller = new AbortController();
  void process.ended.then(() => controller.abort(new Fault('unavailable', 'the plugin ended')));
  return controller.signal;
}
