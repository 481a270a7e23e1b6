import { expect, it } from 'vitest';
import type { EngineDriver } from '../driver/contract.ts';
import { silentLog } from '../lib/log.ts';
import type { Node } from '../model/node.ts';
import { testAllocation, testJob } from './client-test-kit.ts';
import { clientDefaults } from './config.ts';
import { Rehearsals } from './rehearsal.ts';

const never = new AbortController().signal;

/** A node whose only driver answers as it is told. */
function node(rehearse: EngineDriver['rehearse']) {
  const info = { name: 'machine', version: '1.0.0', filesystem: 'none', networkModes: ['host'], mounts: true } as const;
  const engine = { info, ...(rehearse === undefined ? {} : { rehearse }) } as unknown as EngineDriver;
  return new Rehearsals({
    config: { ...clientDefaults, allocDir: '/nonexistent' } as never,
    drivers: new Map([['machine', { engine, decodeConfig: (value) => ({ ok: true, value }) }]]),
    hostEnv: {},
    deniedEnv: new Set(),
    makesNetworks: false,
    log: silentLog,
    node: () => ({ ID: 'n', Name: 'n' }) as Node,
  });
}

const ask = (() => {
  const allocation = testAllocation(testJob('job', [{ Name: 't' }]));
  return { Job: allocation.Job!, Allocations: [allocation] };
})();
const row = async (rehearsals: Rehearsals) => (await rehearsals.of(ask, never)).Groups[0]!.Tasks[0]!;

it('a driver says what it would refuse, and is told that nothing is to be started', async () => {
  const told: unknown[] = [];
  const rehearsals = node(async (task) => {
    told.push(task.rehearsal, task.id.startsWith(ask.Allocations[0]!.ID));
    return ['no'];
  });
  expect(await row(rehearsals)).toEqual({ Name: 't', Refusals: ['no'], NotAsked: '' });
  expect(told).toEqual([{ filesCome: false }, true]);
});

it('one that does not tell, or cannot, is said to be not asked', async () => {
  expect(await row(node(undefined))).toMatchObject({ NotAsked: 'driver "machine" does not tell before a start' });
  const broken = node(async () => {
    throw new TypeError('broken');
  });
  expect(await row(broken)).toEqual({ Name: 't', Refusals: [], NotAsked: 'driver "machine" could not tell: broken' });
});

it('two are asked at once, so many wait, and more are turned away; who is gone makes room', async () => {
  let [atOnce, most, asked] = [0, 0, 0];
  let go: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const rehearsals = node(async () => {
    asked++;
    most = Math.max(most, ++atOnce);
    await gate;
    atOnce--;
    return [];
  });
  const caller = new AbortController();
  const mine = Array.from({ length: 10 }, () => rehearsals.of(ask, caller.signal).catch((error: Error) => error.name));
  const others = Array.from({ length: 8 }, () => rehearsals.of(ask, never));
  await expect(rehearsals.of(ask, never)).rejects.toThrow('asked by too many at once');
  caller.abort();
  expect(new Set(await Promise.all(mine))).toEqual(new Set(['AbortError']));
  go();
  expect(await Promise.all(others)).toHaveLength(8);
  expect(most).toBeLessThanOrEqual(4);
  // of those who left, the drivers were asked for the first two alone
  expect(asked).toBe(2 + 8);
  await expect(rehearsals.of(ask, never)).resolves.toBeDefined();
});
