import { Fault } from '../lib/fault.ts';
import type { ExitRecord, Ledger, ShimStatus, StreamStatus } from './contract.ts';

/** Reading what a shim says in JSON. Anything but what the protocol promises is `Fault('invalid')`: a torn record must not become a code. */

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault('invalid', `${what} is no object`);
  return value as Json;
}

function number(source: Json, name: string): number {
  const value = source[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new Fault('invalid', `${name} is no whole number`);
  return value;
}

function big(source: Json, name: string): bigint {
  const value = source[name];
  if (typeof value !== 'string' || !/^[0-9]{1,20}$/.test(value))
    throw new Fault('invalid', `${name} is no decimal string`);
  return BigInt(value);
}

function string(source: Json, name: string): string {
  const value = source[name];
  if (typeof value !== 'string') throw new Fault('invalid', `${name} is no string`);
  return value;
}

function flag(source: Json, name: string): boolean {
  const value = source[name];
  if (typeof value !== 'boolean') throw new Fault('invalid', `${name} is neither true nor false`);
  return value;
}

function choice<const T extends string>(source: Json, name: string, choices: readonly T[]): T {
  const value = choices.find((each) => each === source[name]);
  if (value === undefined) throw new Fault('invalid', `${name} is none of ${choices.join(', ')}`);
  return value;
}

function ledger(source: Json, name: string): Ledger {
  const counts = object(source[name], name);
  return { stored: big(counts, 'stored'), dropped: big(counts, 'dropped') };
}

/** Shims that do not say `waiting` and `hung` store at once what they take. */
function stream(source: Json, name: string): StreamStatus {
  const counts = object(source[name], name);
  return {
    ...ledger(source, name),
    waiting: counts['waiting'] === undefined ? 0n : big(counts, 'waiting'),
    hung: counts['hung'] === undefined ? false : flag(counts, 'hung'),
  };
}

const units = ['session', 'cgroup', 'pid-namespace'] as const;
const endings = ['task', 'signal', 'stop', 'kill', 'oom', 'never-started', 'start-failed'] as const;
const states = ['starting', 'held', 'running', 'ending', 'ended'] as const;

export function parseJson(text: string): Json {
  try {
    return object(JSON.parse(text), 'the message');
  } catch (error) {
    throw error instanceof Fault ? error : new Fault('invalid', 'the message is not JSON', { cause: error });
  }
}

export function exitRecord(value: unknown): ExitRecord {
  const source = object(value, 'the exit record');
  if (number(source, 'version') !== 1)
    throw new Fault('unsupported', `an exit record of version ${String(source['version'])}`);
  const error = source['error'] === null ? null : object(source['error'], 'error');
  return {
    unknown: null,
    kind: choice(source, 'kind', ['native', 'typescript']),
    bootId: string(source, 'bootId'),
    pid: number(source, 'pid'),
    started: flag(source, 'started'),
    code: number(source, 'code'),
    signal: number(source, 'signal'),
    coreDumped: flag(source, 'coreDumped'),
    oomKilled: flag(source, 'oomKilled'),
    oomKills: number(source, 'oomKills'),
    by: choice(source, 'by', endings),
    startedAt: big(source, 'startedAt'),
    finishedAt: big(source, 'finishedAt'),
    killUnit: choice(source, 'killUnit', units),
    leftover: number(source, 'leftover'),
    stdout: ledger(source, 'stdout'),
    stderr: ledger(source, 'stderr'),
    error: error && { stage: string(error, 'stage'), errno: number(error, 'errno'), message: string(error, 'message') },
  };
}

export function shimStatus(value: unknown): ShimStatus {
  const source = object(value, 'the status');
  return {
    state: choice(source, 'state', states),
    pid: number(source, 'pid'),
    startTime: big(source, 'startTime'),
    startedAt: big(source, 'startedAt'),
    bootId: string(source, 'bootId'),
    killUnit: choice(source, 'killUnit', units),
    processes: number(source, 'processes'),
    stdout: stream(source, 'stdout'),
    stderr: stream(source, 'stderr'),
    exit: source['exit'] === null ? null : exitRecord(source['exit']),
  };
}
