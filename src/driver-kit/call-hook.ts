/**
 * Every hook of an author is called through here: it has a deadline and an AbortSignal, and whatever it throws or fails to return comes
 * out as a fault that names driver and hook.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, isFault } from '../lib/fault.ts';
import { shown } from './check-schema.ts';

export interface HookCall {
  /** As in `driver = "…"`. */
  readonly driver: string;
  readonly hook: string;
  readonly limitMs: number;
  /** The caller's; the hook gets one that also fires at the deadline. */
  readonly signal: AbortSignal;
}

/**
 * What the hook resolves with. `Fault('unavailable')`, worth trying again: it gave no answer in time. A hook that does not heed its
 * signal is waited for no longer; `late` gets what it still resolves with.
 */
export async function callHook<T>(
  call: HookCall,
  hook: (signal: AbortSignal) => Promise<T> | T,
  late?: (value: T) => void,
): Promise<T> {
  const { driver, limitMs, signal } = call;
  signal.throwIfAborted();
  const controller = new AbortController();
  const given = new AbortController();
  const stop = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const work = Promise.resolve().then(() => hook(controller.signal));
  let settled = false;
  work.then(
    (value) => {
      if (settled) late?.(value);
    },
    () => {},
  );
  const timeout = sleep(limitMs, undefined, { signal: given.signal, ref: false }).then(
    () => {
      const fault = new Fault('unavailable', `driver ${driver}: ${call.hook} gave no answer within ${limitMs} ms`, {
        recoverable: true,
      });
      controller.abort(fault);
      throw fault;
    },
    () => new Promise<never>(() => {}),
  );
  const aborted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true });
  });
  aborted.catch(() => {});
  try {
    return await Promise.race([work, timeout, aborted]);
  } catch (error) {
    throw named(call, error);
  } finally {
    settled = true;
    given.abort();
    signal.removeEventListener('abort', stop);
  }
}

/** Faults are the author's own words and stay; what else is thrown gets a place, and its stack as the cause. */
function named({ driver, hook, signal }: HookCall, error: unknown): unknown {
  if (isFault(error) || (signal.aborted && error === signal.reason)) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  // what a look throws is the reason that people read beside the driver's name
  if (hook === 'fingerprint' && error instanceof Error) return error;
  const text = error instanceof Error ? error.message || error.name : shown(error);
  return new Fault('unavailable', `driver ${driver}: ${hook} failed: ${text}`, { cause: error });
}

/** `Fault('invalid')`: what a hook returned is not what it has to be. */
export function wrongReturn(driver: string, hook: string, needed: string, value: unknown): Fault {
  return new Fault('invalid', `driver ${driver}: ${hook} must return ${needed}, not ${shown(value)}`);
}

/** Of a hook that refuses by what it throws: one that answers was meant otherwise, and nothing would be refused. */
export function checkedNothing(driver: string, value: unknown): void {
  if (value !== undefined) throw wrongReturn(driver, 'check', 'nothing: it throws what it refuses', value);
}
