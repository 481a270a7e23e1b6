import { expect, test } from 'vitest';
import type { EngineDriver } from '../driver/contract.ts';
import { silentLog } from '../lib/log.ts';
import { changedEngine } from './changed-engine.ts';
import { tracedDriver } from './traced-driver.ts';

class Engine {
  readonly #tasks = ['one'];
  get info() {
    return { count: this.#tasks.length };
  }
  inspect() {
    return this.#tasks.length;
  }
  wait() {
    return Promise.resolve({ exitCode: this.#tasks.length, signal: 0 });
  }
}
const engine = new Engine() as unknown as EngineDriver;
const never = new AbortController().signal;

test('what is not changed is the engine’s own, and what is not there stays absent', async () => {
  const changed = changedEngine(engine, {
    inspect: async () => {
      throw new Error('changed');
    },
  });
  expect(changed.info).toEqual({ count: 1 });
  await expect(changed.inspect('a', never)).rejects.toThrow('changed');
  expect(changed.signal).toBeUndefined();
});

test('a driver whose calls are seen still reads its own members', async () => {
  const traced = tracedDriver(engine, silentLog);
  expect(traced.info).toEqual({ count: 1 });
  expect(await traced.wait('a', never)).toEqual({ exitCode: 1, signal: 0 });
  expect(traced.exec).toBeUndefined();
});
