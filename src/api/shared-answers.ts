/** Forms that several routes share. */
import type { ServerSnapshot, ServerTables } from '../state/server-tables.ts';
import { tablesIndex } from './blocking.ts';
import type { ApiRequest } from './request.ts';
import type { Answer, ReadAnswer } from './route.ts';

/** The state of the answer, repeated inside its body. */
export function withState(value: object, index: number, knownLeader: boolean): object {
  return { ...value, Index: index, KnownLeader: knownLeader, LastContact: 0, NextToken: '' };
}

interface Registration {
  readonly evalId: string;
  readonly evalCreateIndex: number;
  readonly jobModifyIndex: number;
  readonly index: number;
  readonly warnings?: string;
}

/** What every change of a job answers. */
export function registrationAnswer(done: Registration, more: object = {}, knownLeader = false): Answer {
  const value = {
    EvalID: done.evalId,
    EvalCreateIndex: done.evalCreateIndex,
    JobModifyIndex: done.jobModifyIndex,
    ...more,
  };
  return { index: done.index, value: withState(value, done.index, knownLeader) };
}

interface Modified {
  readonly ModifyIndex: number;
}

/** One row: its index is its own; where it is not there, that of the tables. */
export function rowAnswer<Row extends Modified>(
  snapshot: ServerSnapshot,
  tables: readonly (keyof ServerTables)[],
  row: Row | undefined,
  absent: string,
  show: (row: Row) => unknown = (value) => value,
): ReadAnswer {
  if (row === undefined) return { index: tablesIndex(snapshot, tables), absent };
  return { index: row.ModifyIndex, value: show(row) };
}

/** Only rows whose id starts with the `prefix` of the query; undefined: none was given. */
export function prefixTest<Row>(request: ApiRequest, id: (row: Row) => string): ((row: Row) => boolean) | undefined {
  const prefix = request.query.text('prefix');
  return prefix === '' ? undefined : (row) => id(row).startsWith(prefix);
}
