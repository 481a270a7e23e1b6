import type { EngineDriver } from '../driver/contract.ts';
import type { Value } from '../hcl/value.ts';

/** A driver as the client uses it; the agent makes it of a driver, the operator's plugin configuration and the driver kit. */
export interface ClientDriver {
  readonly engine: EngineDriver;
  /** The plugin protocol's specification of a task's options, for the servers; null: not known (yet). */
  schemaBytes?(): Uint8Array | null;
  /**
   * Checks a task's `config {}` (already interpolated) against the driver's schema and fills in defaults.
   * `problems`: one clause each, e.g. `The argument "command" is required, but no definition was found.`
   */
  decodeConfig(config: Readonly<Record<string, unknown>>): DecodedConfig;
  /** In place of both steps, for drivers of other programs: their texts and names are templates over `variables`. */
  decodeTemplates?(config: Readonly<Record<string, unknown>>, variables: ReadonlyMap<string, Value>): DecodedConfig;
}

export type DecodedConfig =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly string[] };

/** By driver name. */
export type ClientDrivers = ReadonlyMap<string, ClientDriver>;
