/** A driver as a plugin: what it is called, which options it has, and how an instance is made of them. */

import { toBinary } from '@bufbuild/protobuf';
import { type Decoded, decodeConfig } from '../driver/config-decode.ts';
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import type { EngineDriver } from '../driver/contract.ts';
import { SpecSchema } from '../driver/gen/nomad/hclspec_pb.ts';
import { specOf } from '../driver/hclspec.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Supervisor } from '../supervise/contract.ts';

/** What the agent lends to its drivers. */
export interface DriverDeps {
  readonly supervisor: Supervisor;
  readonly isolation: IsolationHost;
  /** Absolute, the agent's own (0700): `<stateDirectory>/<allocation>.<task>.<generation>` holds the records of one start. */
  readonly stateDirectory: string;
  readonly log: Log;
}

/** What the host's side of a plugin in another process needs: that isolates its tasks itself. */
export type HostDeps = Omit<DriverDeps, 'isolation'>;

export interface DriverPlugin<P extends ConfigSchema = ConfigSchema, T extends ConfigSchema = ConfigSchema> {
  /** As in `driver = "…"` and `plugin "…" {}`. */
  readonly pluginName: string;
  /** The plugin's own, as hosts choose by it; default: this program's. */
  readonly version?: string;
  /** Of the operator's `plugin "…" { config {} }`. */
  readonly configSchema: P;
  /** Of a task's `config {}`. */
  readonly taskSchema: T;
  create(config: ConfigOf<P>, deps: DriverDeps): EngineDriver;
}

/** Options and schema in step: `definePlugin({ pluginName: 'x', configSchema: {…}, taskSchema: {…}, create })`. */
export function definePlugin<const P extends ConfigSchema, const T extends ConfigSchema>(
  plugin: DriverPlugin<P, T>,
): DriverPlugin<P, T> {
  return plugin;
}

export function isDriverPlugin(value: unknown): value is DriverPlugin {
  const { pluginName, configSchema, taskSchema, create } = (value ?? {}) as {
    readonly [name in keyof DriverPlugin]: unknown;
  };
  const schemas = [configSchema, taskSchema].every((each) => typeof each === 'object' && each !== null);
  return typeof pluginName === 'string' && schemas && typeof create === 'function';
}

export interface OpenDriver {
  readonly engine: EngineDriver;
  /** The plugin protocol's specification of a task's options. */
  schemaBytes(): Uint8Array;
  decodeConfig(config: Readonly<Record<string, unknown>>): Decoded<unknown>;
}

/** `config`: the body of the operator's block, or `{}`. A wrong option is `Fault('invalid')` naming all of them. */
export function openDriver(
  plugin: DriverPlugin<never, never> | DriverPlugin,
  config: unknown,
  deps: DriverDeps,
): OpenDriver {
  const { pluginName, configSchema, taskSchema, create } = plugin as DriverPlugin;
  const wrong = (why: string, cause?: unknown): Fault =>
    new Fault('invalid', `plugin ${JSON.stringify(pluginName)}: ${why}`, { cause });
  const decoded = decodeConfig(configSchema, config);
  if (!decoded.ok) throw wrong(decoded.problems.join(' '));
  let engine: EngineDriver;
  try {
    engine = create(decoded.value, { ...deps, log: deps.log.child(pluginName) });
  } catch (error) {
    throw wrong(messageOf(error), error);
  }
  return {
    engine,
    schemaBytes: () => toBinary(SpecSchema, specOf(taskSchema)),
    decodeConfig: (body) => decodeConfig(taskSchema, body),
  };
}
