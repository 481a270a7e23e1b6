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
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import { commandEngine } from './command-engine.ts';
import { type DriverPlugin, definePlugin } from './driver-plugin.ts';
import { fingerprints } from './fingerprints.ts';

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
  /** Asked at the start and every 30 s; default healthy. What it throws makes the driver unhealthy with that reason. */
  fingerprint?(options: ConfigOf<P>, signal: AbortSignal): Promise<Partial<Fingerprint>> | Partial<Fingerprint>;
  /** What to run for a task. What it throws fails the task; a recoverable `Fault` lets the restart policy try again. */
  start(
    task: TaskConfig & { readonly config: ConfigOf<T> },
    options: ConfigOf<P>,
    signal: AbortSignal,
  ): Promise<Command> | Command;
}

/** `Fault('invalid')`: a name or version that hosts would refuse. */
export function defineDriver<const T extends ConfigSchema, const P extends ConfigSchema = Record<never, never>>(
  definition: DriverDefinition<P, T>,
): DriverPlugin {
  const { name, version } = definition;
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name))
    throw new Fault('invalid', `a driver's name is small letters, digits, "_" and "-", not ${JSON.stringify(name)}`);
  if (!/^\d+\.\d+\.\d+/.test(version))
    throw new Fault('invalid', `driver ${name}: ${JSON.stringify(version)} is no semantic version such as "1.0.0"`);
  return definePlugin({
    pluginName: name,
    configSchema: (definition.options ?? {}) as ConfigSchema,
    taskSchema: definition.config as ConfigSchema,
    create: (options, deps) => commandEngine(commandDriver(definition, options as ConfigOf<P>), deps),
  });
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
      const given = await definition.start(task as TaskConfig & { readonly config: ConfigOf<T> }, options, signal);
      return { ...checked(name, given), isolation: wishOf(definition.isolation ?? 'process') };
    },
  };
}

async function look<P extends ConfigSchema, T extends ConfigSchema>(
  definition: DriverDefinition<P, T>,
  options: ConfigOf<P>,
  signal: AbortSignal,
): Promise<Fingerprint> {
  const { name, version } = definition;
  const attributes = { [`driver.${name}`]: '1', [`driver.${name}.version`]: version };
  try {
    const given = (await definition.fingerprint?.(options, signal)) ?? {};
    const health = given.health ?? 'healthy';
    const description = given.description ?? (health === 'healthy' ? 'Healthy' : health);
    return { health, description, attributes: health === 'undetected' ? {} : { ...attributes, ...given.attributes } };
  } catch (error) {
    return {
      health: isFault(error, 'unsupported') ? 'undetected' : 'unhealthy',
      description: messageOf(error),
      attributes: {},
    };
  }
}

/** What an author returned, named where it is wrong. */
function checked(name: string, given: Command): Omit<CommandSpec, 'isolation'> {
  const wrong = (what: string, value: unknown): Fault =>
    new Fault('invalid', `driver ${name}: start must return ${what}, not ${JSON.stringify(value) ?? String(value)}`);
  const value = given as { readonly [name in keyof Command]: unknown } | null | undefined;
  if (typeof value !== 'object' || value === null) throw wrong('what to run', value);
  const { command, args = [], workDir = '', env = {} } = value;
  if (typeof command !== 'string' || command === '') throw wrong('a "command"', command);
  if (!Array.isArray(args) || !args.every((each) => typeof each === 'string'))
    throw wrong('"args" as a list of texts', args);
  if (typeof workDir !== 'string') throw wrong('"workDir" as a text', workDir);
  if (typeof env !== 'object' || env === null || !Object.values(env).every((each) => typeof each === 'string'))
    throw wrong('"env" as texts by name', env);
  return { command, args, workDir, env: env as Record<string, string>, defaultUser: '' };
}

function wishOf(prefer: IsolationRung): CommandSpec['isolation'] {
  return { prefer, pidMode: 'host', ipcMode: 'host', capabilities: [], runtimes: [] };
}
