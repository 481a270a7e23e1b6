/**
 * A driver that runs tasks through something else than a process of ours: a container engine, a hypervisor, a remote service. Its author
 * writes what is the engine's own; ids, states, ends, waiting, recovery and refusals are the kit's (`engine-kit.ts`).
 * A hook that is left out is a capability that the driver does not have.
 *
 *   export default defineEngineDriver({
 *     name: 'crate',
 *     version: '1.0.0',
 *     config: { image: option.string({ required: true }) },
 *     state: { version: 1, fields: { id: option.string({ required: true }) } },
 *     open: ({ socket }) => new Client(socket),
 *     start: async (engine, task, signal) => ({ state: { id: await engine.create(task.config.image, signal) } }),
 *     find: ({ engine, state }, signal) => engine.exists(state.id, signal),
 *     wait: async ({ engine, state }, signal) => ({ exitCode: await engine.wait(state.id, signal) }),
 *     stop: ({ engine, state }, { timeoutMs, killSignal }, signal) => engine.stop(state.id, killSignal, timeoutMs, signal),
 *     remove: ({ engine, state }, signal) => engine.remove(state.id, signal),
 *   });
 */
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import type {
  DriverEvent,
  ExecRequest,
  ExecSession,
  FilesystemIsolation,
  Fingerprint,
  NetworkIsolationMode,
  NetworkOverride,
  TaskConfig,
} from '../driver/contract.ts';
import type { Log } from '../lib/log.ts';
import { checkSchema } from './check-schema.ts';
import { checkName } from './define-driver.ts';
import { type DriverPlugin, definePlugin } from './driver-plugin.ts';
import { EngineKit } from './engine-kit.ts';
import { checkNames } from './known-names.ts';
import type { StateDefinition } from './task-state.ts';

type Awaitable<T> = T | Promise<T>;

/** A task that the engine was told to run, as each hook gets it. */
export interface EngineTask<E, T extends ConfigSchema, S extends ConfigSchema> {
  /** What `open` made. */
  readonly engine: E;
  readonly task: TaskConfig & { readonly config: ConfigOf<T> };
  /** What `start` returned, after migrations. */
  readonly state: ConfigOf<S>;
}

/** How a task ended: with a code, or by a signal (`exitCode` is then 128 + signal where it is left out). */
export interface EngineExit {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly oomKilled?: boolean;
  /** What the engine says about the end. */
  readonly message?: string;
}

/** What the engine measured, in percent of one core and bytes; what is left out is reported as not measured. */
export interface EngineStats {
  readonly cpuPercent?: number;
  readonly cpuUserPercent?: number;
  readonly cpuSystemPercent?: number;
  readonly memoryBytes?: number;
  readonly memoryRssBytes?: number;
  readonly memoryCacheBytes?: number;
  readonly memoryMaxBytes?: number;
}

/** The hooks that have a deadline. */
const limited = [
  ...(['open', 'fingerprint', 'check', 'start', 'find', 'stop', 'remove', 'removeUnknown'] as const),
  ...(['stats', 'signal', 'exec', 'close'] as const),
];

export type EngineHook = (typeof limited)[number];

export interface EngineDefinition<P extends ConfigSchema, T extends ConfigSchema, S extends ConfigSchema, E> {
  /** As in `driver = "…"`: small letters, digits, `_` and `-`. */
  readonly name: string;
  /** Semantic version, without `v`. */
  readonly version: string;
  /** Options of a task. */
  readonly config: T;
  /** Options of the operator's `plugin` block; default none. */
  readonly options?: P;
  /** What is remembered of a task over restarts: small, JSON, no secrets. */
  readonly state: StateDefinition<S>;
  /** Default `none`: the task sees the node's files. */
  readonly filesystem?: FilesystemIsolation;
  /** Default host alone. */
  readonly networkModes?: readonly NetworkIsolationMode[];
  /** True: the driver mounts `task.mounts`; default false, and jobs with volumes are not placed on it. */
  readonly mounts?: boolean;
  /** Milliseconds, in place of the kit's own limits (`engine-kit.ts`); `stop` gets the task's kill timeout on top. */
  readonly limitsMs?: { readonly [hook in EngineHook]?: number };

  /** Connects to the engine; asked before the first hook and again after it failed. What it returns is every hook's `engine`. */
  open?(options: ConfigOf<P>, context: { readonly log: Log; readonly signal: AbortSignal }): Awaitable<E>;
  /** Asked at the start and every 30 s; default healthy once `open` succeeded. What it throws makes the driver unhealthy with that reason. */
  fingerprint?(engine: E, signal: AbortSignal): Awaitable<Partial<Fingerprint>>;
  /**
   * Refuses a task by what it throws: asked before each `start`, and alone where somebody wants to know before anything is started. Makes,
   * fetches and starts nothing. Then `task.rehearsal` is set, the task's directories are not there, and of a file in them `mayCome` says
   * whether it may be there at a start.
   */
  check?(engine: E, task: TaskConfig & { readonly config: ConfigOf<T> }, signal: AbortSignal): Awaitable<void>;
  /** Resolves once the task runs. `task.log.fifos` or `task.directories.logs` say where its output goes. */
  start(
    engine: E,
    task: TaskConfig & { readonly config: ConfigOf<T> },
    signal: AbortSignal,
  ): Awaitable<{ readonly state: ConfigOf<S>; readonly network?: NetworkOverride }>;
  /** After a restart: does the engine still know the task, running or ended? */
  find(running: EngineTask<E, T, S>, signal: AbortSignal): Awaitable<boolean>;
  /** Resolves when the task has ended, at once where it has already. Has no deadline; the signal fires when the driver closes. */
  wait(running: EngineTask<E, T, S>, signal: AbortSignal): Promise<EngineExit>;
  /** Sends the signal, kills after the timeout. A task that has ended is no fault. */
  stop(
    running: EngineTask<E, T, S>,
    how: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Awaitable<void>;
  /** Frees what an ended task still holds. May be asked again. */
  remove(running: EngineTask<E, T, S>, signal: AbortSignal): Awaitable<void>;
  /**
   * Frees what a start left behind whose state nobody has, because this process was killed in the middle of it: named after the task's id,
   * or it cannot be found. Nothing there is no fault.
   */
  removeUnknown?(engine: E, taskId: string, signal: AbortSignal): Awaitable<void>;
  stats?(running: EngineTask<E, T, S>, signal: AbortSignal): Awaitable<EngineStats>;
  /** `"SIGHUP"`: a name this system knows. */
  signal?(running: EngineTask<E, T, S>, signalName: string, signal: AbortSignal): Awaitable<void>;
  exec?(running: EngineTask<E, T, S>, request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  /** Messages about tasks (`pulling 40 %`), for as long as they are listened to. */
  events?(engine: E, signal: AbortSignal): AsyncIterable<DriverEvent>;
  /** Lets go of the engine; tasks go on. */
  close?(engine: E): Awaitable<void>;
}

const required = ['start', 'find', 'wait', 'stop', 'remove'] as const;
const definitionNames = [
  ...['name', 'version', 'config', 'options', 'state', 'filesystem', 'networkModes', 'mounts', 'limitsMs'],
  ...[...limited, 'wait', 'events'],
];

/** `Fault('invalid')`: a name, version or schema that hosts would refuse, or a missing hook. */
export function defineEngineDriver<
  const T extends ConfigSchema,
  const S extends ConfigSchema,
  E = undefined,
  const P extends ConfigSchema = Record<never, never>,
>(definition: EngineDefinition<P, T, S, E>): DriverPlugin {
  const { name, version } = definition;
  checkName(name, version);
  checkNames(`driver ${name}: the definition`, definition, definitionNames);
  checkNames(`driver ${name}: limitsMs`, definition.limitsMs, limited);
  checkSchema(`driver ${name}: config`, definition.config);
  checkSchema(`driver ${name}: options`, definition.options ?? {});
  checkSchema(`driver ${name}: state.fields`, (definition.state as StateDefinition<S> | undefined)?.fields);
  for (const hook of required)
    if (typeof definition[hook] !== 'function') throw new TypeError(`driver ${name}: the hook ${hook} is missing`);
  return definePlugin({
    pluginName: name,
    version,
    configSchema: (definition.options ?? {}) as ConfigSchema,
    taskSchema: definition.config as ConfigSchema,
    create: (options, deps) =>
      new EngineKit(definition as unknown as AnyEngineDefinition, options as ConfigOf<ConfigSchema>, deps.log),
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the kit does not know an author's engine
export type AnyEngineDefinition = EngineDefinition<ConfigSchema, ConfigSchema, ConfigSchema, any>;
