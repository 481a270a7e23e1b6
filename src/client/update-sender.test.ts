import { afterEach, expect, test } from 'vitest';
import { silentLog } from '../lib/log.ts';
import type { AllocationUpdate, ServerConnection } from './server-connection.ts';
import { UpdateSender } from './update-sender.ts';

const life = new AbortController();
afterEach(() => life.abort());

test('a report of an allocation on its way waits for what is better, and the newest of each goes', async () => {
  const requests: string[][] = [];
  const server = {
    updateAllocations: async (_: unknown, updates: readonly AllocationUpdate[]) => {
      requests.push(updates.map(({ ID, ClientStatus }) => `${ID} ${ClientStatus}`));
    },
  } as unknown as ServerConnection;
  const sender = new UpdateSender(server, { nodeId: 'n', secretId: 's' }, silentLog);
  void sender.run(life.signal);
  const report = (ID: string, ClientStatus: string): void =>
    sender.send({ ID, ClientStatus, DeploymentStatus: null } as unknown as AllocationUpdate);
  report('a', 'pending');
  report('b', 'pending');
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(requests).toEqual([]);
  report('a', 'running');
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(requests).toEqual([['a running']]);
  await sender.idle();
  expect(requests[1]).toEqual(['b pending']);
  report('c', 'pending');
  while (requests.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(requests[2]).toEqual(['c pending']);
});

test('a report goes at once, those that come right after several went together go together too', async () => {
  const requests: string[][] = [];
  const server = {
    updateAllocations: async (_: unknown, updates: readonly AllocationUpdate[]) => {
      requests.push(updates.map(({ ID }) => ID));
    },
  } as unknown as ServerConnection;
  const sender = new UpdateSender(server, { nodeId: 'n', secretId: 's' }, silentLog);
  const stop = new AbortController();
  void sender.run(stop.signal);
  const report = (ID: string): void =>
    sender.send({ ID, ClientStatus: 'running', DeploymentStatus: null, TaskStates: {} } as unknown as AllocationUpdate);
  report('a');
  await Promise.resolve();
  expect(requests).toEqual([['a']]);
  await new Promise((resolve) => setImmediate(resolve));
  report('b');
  report('c');
  await new Promise((resolve) => setImmediate(resolve));
  expect(requests).toEqual([['a'], ['b', 'c']]);
  report('d');
  await new Promise((resolve) => setImmediate(resolve));
  report('e');
  await sender.idle();
  expect(requests).toEqual([['a'], ['b', 'c'], ['d', 'e']]);
  stop.abort();
});
