import { expect, it } from 'vitest';
import { scriptedClient } from './cli-test-kit.ts';
import { resolveAllocation, resolveJob, resolveNode, sanitizeUuidPrefix } from './resolve-id.ts';

const job = (ID: string) => ({
  ID,
  Namespace: 'default',
  Type: 'service',
  Priority: 50,
  Status: 'running',
  SubmitTime: 0,
});
const row = { NodeID: 'n', TaskGroup: 'g', JobVersion: 0, DesiredStatus: 'run', ClientStatus: 'running' };

it.each([
  ['abc', 'ab'],
  ['abcd', 'abcd'],
  ['12345678-1', '12345678-'],
  ['12345678-12', '12345678-12'],
])('of the prefix %j the list routes get %j', (prefix, asked) => {
  expect(sanitizeUuidPrefix(prefix)).toBe(asked);
});

it('a job is found by its whole id even where others begin with it', async () => {
  const { client, asked } = scriptedClient({ '/v1/jobs': [[job('web'), job('web-2')]] });
  expect(await resolveJob(client, 'web')).toEqual({ id: 'web', namespace: 'default' });
  expect(asked[0]!.path).toBe('/v1/jobs?prefix=web&per_page=20');
});

it('several jobs are listed, none is said', async () => {
  const several = scriptedClient({ '/v1/jobs': [[job('par'), job('per')]] });
  await expect(resolveJob(several.client, 'p')).rejects.toThrow(/^Prefix "p" matched multiple jobs\n\nID {3}Type/);
  const none = scriptedClient({ '/v1/jobs': [[]] });
  await expect(resolveJob(none.client, 'x')).rejects.toThrow('No job(s) with prefix or ID "x" found');
});

it('an allocation needs two characters of its id, and is the only one that begins so', async () => {
  const { client, asked } = scriptedClient({
    '/v1/allocations': [[{ ...row, ID: 'abcd' }], [], [row, row].map((each) => ({ ...each, ID: 'ab' }))],
  });
  await expect(resolveAllocation(client, 'a')).rejects.toThrow('Identifier must contain at least two characters.');
  expect(asked).toHaveLength(0);
  expect((await resolveAllocation(client, 'abc')).ID).toBe('abcd');
  expect(asked[0]!.path).toContain('prefix=ab');
  await expect(resolveAllocation(client, 'abcd')).rejects.toThrow('No allocation(s) with prefix or id "abcd" found');
  await expect(resolveAllocation(client, 'ab')).rejects.toThrow('Prefix matched multiple allocations');
});

it('what the server says of a bad id is passed on', async () => {
  await expect(resolveNode(scriptedClient({}).client, 'zzzz')).rejects.toThrow(
    /^Error querying node info: Unexpected response code: 404/,
  );
});
