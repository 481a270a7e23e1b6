/**
 * The short way to a driver: name, options and what to run for a task; supervision, logs, recovery, stop, stats, signals, exec and
 * isolation come from the kit.
 *
 *   export default defineDriver({
 *     name: 'script',
 *     version: '1.0.0',
 *     config: { text: option.string({ required: true, doc: 'The script.' }) },
 *     start: ({ config }) => ({ command: '/bin/sh', args: ['-c', config.text] }),
 *   });
 */
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import type { CommandDriver, CommandSpec, Fingerprint, IsolationRung, TaskConfig } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { rungNamed, rungs } from '../model/isolation-ladder.ts';
import { callHook, checkedNothing, wrongReturn } from './call-hook.ts';
import { checkSchema, shown } from './check-schema.ts';
import { checkedFingerprint, failedFingerprint } from './checked-fingerprint.ts';
import { commandEngine } from './command-engine.ts';
import { type DriverPlugin, definePlugin } from './driver-plugin.ts';
import { fingerprints } from './fingerprints.ts';
import { checkNames } from './known-names.ts';

/** What to run; paths are as the task sees them. */
export interface Command {
  /** An absolute path, or a name looked up in PATH of the task. */
  readonly command: string;
  readonly args?: readonly string[];
  /** Default: the task directory. */
  readonly workDir?: string;
  /** Added to the task's own variables; wins over them. */
  readonly env?: Readonly<Record<string, string>>;
}

const defaultLimitsMs = { start: 60_000, fingerprint: 30_000, check: 10_000 } as const;

type Hook = keyof typeof defaultLimitsMs;

export interface DriverDefinition<P extends ConfigSchema, T extends ConfigSchema> {
  /** As in `driver = "…"`: small letters, digits, `_` and `-`. */
  readonly name: string;
  /** Semantic version, without `v`. */
  readonly version: string;
  /** Options of a task. */
  readonly config: T;
  /** Options of the operator's `plugin` block; default none. */
  readonly options?: P;
  /** The rung tasks run at where the node can prove it; default `process`. A job's floor may ask for more. */
  readonly isolation?: IsolationRung;
  /** How long a hook may take, in milliseconds; default 60,000 for start, 30,000 for fingerprint, 10,000 for check. */
  readonly limitsMs?: { readonly [hook in Hook]?: number };
  /** Asked at the start and every 30 s; default healthy. What it throws makes the driver unhealthy with that reason. */
  fingerprint?(options: ConfigOf<P>, signal: AbortSignal): Promise<Partial<Fingerprint>> | Partial<Fingerprint>;
  /**
   * Refuses a task by what it throws: asked before each `start`, and alone where somebody wants to know before anything is started. Makes
   * nothing, and starts nothing. Then `task.rehearsal` is set, the task's directories are not there, and of a file in them `mayCome` says
   * whether it may be there at a start.
   */
  check?(
    task: TaskConfig & { readonly config: ConfigOf<T> },
    options: ConfigOf<P>,
    signal: AbortSignal,
  ): Promise<void> | void;
  /** What to run for a task. What it throws fails the task; a recoverable `Fault` lets the restart policy try again. */
  start(
    task: TaskConfig & { readonly config: ConfigOf<T> },
    options: ConfigOf<P>,
    signal: AbortSignal,
  ): Promise<Command> | Command;
}

const hooks = Object.keys(defaultLimitsMs);
const definitionNames = ['name', 'version', 'config', 'options', 'isolation', 'limitsMs', ...hooks];
const commandNames = ['command', 'args', 'workDir', 'env'];

/** `Fault('invalid')`: a name, version or schema that hosts would refuse, what no definition has, or no `start`. */
export function defineDriver<const T extends ConfigSchema, const P extends ConfigSchema = Record<never, never>>(
  definition: DriverDefinition<P, T>,
): DriverPlugin {
  const { name, version, isolation = 'process' } = definition;
  checkName(name, version);
  checkNames(`driver ${name}: the definition`, definition, definitionNames);
  checkNames(`driver ${name}: limitsMs`, definition.limitsMs, hooks);
  if (rungNamed(isolation) === undefined)
    throw new Fault('invalid', `driver ${name}: isolation is one of ${rungs.join(', ')}, not ${shown(isolation)}`);
  checkSchema(`driver ${name}: config`, definition.config);
  checkSchema(`driver ${name}: options`, definition.options ?? {});
  if (typeof definition.start !== 'function') throw new Fault('invalid', `driver ${name}: the hook start is missing`);
  return definePlugin({
    pluginName: name,
    version,
    configSchema: (definition.options ?? {}) as ConfigSchema,
    taskSchema: definition.config as ConfigSchema,
    create: (options, deps) => commandEngine(commandDriver(definition, options as ConfigOf<P>), deps),
  });
}

export function checkName(name: unknown, version: unknown): void {
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name))
    throw new Fault('invalid', `a driver's name is small letters, digits, "_" and "-", not ${shown(name)}`);
  if (typeof version !== 'string' || !/^\d+\.\d+\.\d+/.test(version))
    throw new Fault('invalid', `driver ${name}: ${shown(version)} is no semantic version such as "1.0.0"`);
}

function commandDriver<P extends ConfigSchema, T extends ConfigSchema>(
  definition: DriverDefinition<P, T>,
  options: ConfigOf<P>,
): CommandDriver {
  const { name, version } = definition;
  return {
    info: { name, version, filesystem: 'none', networkModes: ['host', 'group'], mounts: false },
    fingerprint: (signal) => fingerprints(() => look(definition, options, signal), signal),
    async plan(task, signal) {
      const typed = task as TaskConfig & { readonly config: ConfigOf<T> };
      await called(definition, 'check', signal, async (own) =>
        checkedNothing(name, await definition.check?.(typed, options, own)),
      );
      const isolation = wishOf(definition.isolation ?? 'process');
      // an author's start may write what the command reads: nobody is asked for it before
      if (task.rehearsal !== undefined) return { ...unknownCommand, isolation };
      const given = await called(definition, 'start', signal, (own) => definition.start(typed, options, own));
      return { ...checked(name, given), isolation };
    },
  };
}

const unknownCommand = { command: '', args: [], workDir: '', defaultUser: '' } as const;

function called<R>(
  { name, limitsMs }: Pick<DriverDefinition<never, never>, 'name' | 'limitsMs'>,
  hook: Hook,
  signal: AbortSignal,
  work: (signal: AbortSignal) => R | Promise<R>,
): Promise<R> {
  return callHook({ driver: name, hook, limitMs: limitsMs?.[hook] ?? defaultLimitsMs[hook], signal }, work);
}

async function look<P extends ConfigSchema, T extends ConfigSchema>(
  definition: DriverDefinition<P, T>,
  options: ConfigOf<P>,
  signal: AbortSignal,
): Promise<Fingerprint> {
  const { name, version } = definition;
  try {
    const given = await called(definition, 'fingerprint', signal, (own) => definition.fingerprint?.(options, own));
    return checkedFingerprint(name, version, given);
  } catch (error) {
    return failedFingerprint(error);
  }
}

/** What an author returned, named where it is wrong. */
function checked(name: string, given: Command): Omit<CommandSpec, 'isolation'> {
  const wrong = (what: string, value: unknown): Fault => wrongReturn(name, 'start', what, value);
  const value = given as { readonly [name in keyof Command]: unknown } | null | undefined;
  if (typeof value !== 'object' || value === null) throw wrong('what to run', value);
  const { command, args = [], workDir = '', env = {} } = value;
  if (typeof command !== 'string' || command === '') throw wrong('a "command"', command);
  if (!Array.isArray(args) || !args.every((each) => typeof each === 'string'))
    throw wrong('"args" as a list of texts', args);
  if (typeof workDir !== 'string') throw wrong('"workDir" as a text', workDir);
  if (
    typeof env !== 'object' ||
    env === null ||
    Array.isArray(env) ||
    !Object.values(env).every((each) => typeof each === 'string')
  )
    throw wrong('"env" as texts by name', env);
  checkNames(`driver ${name}: what start returns`, value, commandNames);
  return { command, args, workDir, env: env as Record<string, string>, defaultUser: '' };
}

function wishOf(prefer: IsolationRung): CommandSpec['isolation'] {
  return { prefer, pidMode: 'host', ipcMode: 'host', capabilities: [], runtimes: [] };
}
