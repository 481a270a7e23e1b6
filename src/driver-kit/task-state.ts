/**
 * What a driver remembers of a task: typed by an option schema, with a version, checked when it is made and when it comes back, and
 * brought up to date step by step when an older version of the driver stored it.
 */
import { decodeConfig } from '../driver/config-decode.ts';
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import type { TaskHandleState } from '../driver/contract.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import { shown } from './check-schema.ts';

export interface StateDefinition<S extends ConfigSchema> {
  /** Counted up whenever `fields` change in a way that older states do not fit. */
  readonly version: number;
  readonly fields: S;
  /** By the version they come from: `{ 1: (old) => ({ ...old, name: '' }) }` makes a 2 of a 1. Every step from the oldest still stored. */
  readonly migrations?: {
    readonly [from: number]: (old: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  };
}

const maximumBytes = 64 * 1024;

/** `Fault('invalid')`: no such state, or too large. */
export function storedState<S extends ConfigSchema>(
  driver: string,
  definition: StateDefinition<S>,
  given: unknown,
): TaskHandleState {
  const decoded = decodeConfig(definition.fields, given);
  if (typeof given !== 'object' || given === null || !decoded.ok) {
    const problems = decoded.ok ? '' : `: ${decoded.problems.join(' ')}`;
    throw new Fault(
      'invalid',
      `driver ${driver}: start must return a "state" as its fields say, not ${shown(given)}${problems}`,
    );
  }
  const state = { version: definition.version, fields: decoded.value };
  const bytes = JSON.stringify(state).length;
  if (bytes > maximumBytes)
    throw new Fault(
      'invalid',
      `driver ${driver}: the state that start returned has ${bytes} bytes (at most ${maximumBytes})`,
    );
  return state;
}

/** `Fault('not_found')`: it cannot be read, so the task counts as lost; the reason is in the text. */
export function readState<S extends ConfigSchema>(
  driver: string,
  definition: StateDefinition<S>,
  stored: TaskHandleState,
): ConfigOf<S> {
  const lost = (why: string): Fault => new Fault('not_found', `driver ${driver}: the stored state of the task ${why}`);
  const { version } = stored;
  if (!Number.isSafeInteger(version) || version < 1) throw lost(`has no version (${shown(version)})`);
  if (version > definition.version)
    throw lost(`is of version ${version}, written by a newer driver than this one (version ${definition.version})`);
  let fields = stored['fields'] as Readonly<Record<string, unknown>>;
  if (typeof fields !== 'object' || fields === null) throw lost('has no fields');
  for (let from = version; from < definition.version; from++) {
    const step = definition.migrations?.[from];
    if (step === undefined)
      throw lost(`is of version ${version}, and there is no migration from ${from} to ${from + 1}`);
    try {
      fields = step(fields);
    } catch (error) {
      throw lost(`cannot be brought from version ${from} to ${from + 1}: ${messageOf(error)}`);
    }
  }
  const decoded = decodeConfig(definition.fields, fields);
  if (!decoded.ok) throw lost(`is not what version ${definition.version} says: ${decoded.problems.join(' ')}`);
  return decoded.value;
}
