/** A driver whose calls are seen: what its host asks, what came of it, how long it took. For `drover driver dev`. */
import type { EngineDriver } from '../driver/contract.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import type { Log, LogFields } from '../lib/log.ts';
import { changedEngine } from './changed-engine.ts';

type Hook = (...given: unknown[]) => unknown;

const watched = ['start', 'recover', 'wait', 'stop', 'destroy', 'signal', 'exec'] as const;

/** Every call as one line when it is over; asking for samples and states again and again is not shown. */
export function tracedDriver(engine: EngineDriver, log: Log): EngineDriver {
  const hooks = watched.flatMap((name) => {
    const hook = engine[name] as Hook | undefined;
    return hook === undefined ? [] : [[name, tracedHook(name, hook.bind(engine), log)]];
  });
  return changedEngine(engine, { ...Object.fromEntries(hooks), fingerprint: tracedFingerprint(engine, log) });
}

/** Said when it changes: a healthy driver says so every half minute. */
function tracedFingerprint(engine: EngineDriver, log: Log): EngineDriver['fingerprint'] {
  let last = '';
  return async function* (signal) {
    for await (const report of engine.fingerprint(signal)) {
      const { health, description: text } = report;
      const now = `${health}: ${text}`;
      const fields: LogFields = health === 'healthy' ? { result: health } : { fault: health, text };
      if (now !== last) log.info('call', { hook: 'fingerprint', task: '', ...fields });
      last = now;
      yield report;
    }
  };
}

function tracedHook(name: string, hook: Hook, log: Log): Hook {
  return async (...given) => {
    const before = Date.now();
    const line = (fields: LogFields): void =>
      log.info('call', { hook: name, task: taskOf(given[0]), ms: Date.now() - before, ...fields });
    if (name === 'wait') log.info('call', { hook: name, task: taskOf(given[0]), waiting: true });
    try {
      const value = await hook(...given);
      line({ result: summary(name, value) });
      return value;
    } catch (error) {
      const signal = given.at(-1);
      if (signal instanceof AbortSignal && signal.aborted) line({ result: 'given up by the agent' });
      else line({ fault: isFault(error) ? error.kind : 'error', text: messageOf(error) });
      throw error;
    }
  };
}

/** `<first eight of the allocation>/<task>` */
function taskOf(given: unknown): string {
  const id = typeof given === 'string' ? given : ((given as { readonly id?: unknown } | null)?.id ?? '');
  const [allocation = '', task = ''] = String(id).split('/');
  return `${allocation.slice(0, 8)}/${task}`;
}

function summary(name: string, value: unknown): string {
  if (name === 'wait') {
    const { exitCode, signal } = value as { readonly exitCode: number; readonly signal: number };
    return signal > 0 ? `signal ${signal}` : `exit ${exitCode}`;
  }
  return 'ok';
}
