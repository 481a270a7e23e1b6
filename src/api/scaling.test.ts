import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeServer, jobChanges, jobRow, startFakeServer, testId } from './fake-agent.ts';

let server: FakeServer;

beforeEach(async () => {
  server = await startFakeServer();
  const policy = (ID: string, Job: string) => ({
    ID,
    Type: 'horizontal',
    Enabled: true,
    Min: 0,
    Max: 4,
    Target: { Namespace: 'default', Job, Group: 'g' },
    CreateIndex: 3,
    ModifyIndex: 5,
  });
  const group = (scaling: object | null) => ({
    Name: 'g',
    Scaling: scaling,
    Services: [{ Name: 'web-front' }],
    Tasks: [{ Name: 't', Config: { command: '/bin/webserver' }, Services: [{ Name: 'web-admin' }] }],
  });
  await server.put(
    ...jobChanges(jobRow({ ID: 'web', TaskGroups: [group(policy(testId(1), 'web'))] } as never)),
    ...jobChanges(jobRow({ ID: 'plain', TaskGroups: [group(null)] } as never)),
  );
});
afterEach(() => server.close());

const json = async (path: string, init?: RequestInit): Promise<unknown> =>
  (await fetch(server.address + path, init)).json();
const search = (path: string, body: object) => json(path, { method: 'PUT', body: JSON.stringify(body) });

describe('scaling policies', () => {
  it('are listed from the jobs they stand in, by job, type and prefix', async () => {
    const listed = await json('/v1/scaling/policies');
    expect(listed).toEqual([
      {
        ID: testId(1),
        Enabled: true,
        Type: 'horizontal',
        Target: { Namespace: 'default', Job: 'web', Group: 'g' },
        CreateIndex: 3,
        ModifyIndex: 5,
      },
    ]);
    expect(await json('/v1/scaling/policies?job=plain')).toEqual([]);
    expect(await json('/v1/scaling/policies?type=vertical')).toEqual([]);
    expect(await json(`/v1/scaling/policies?prefix=${testId(2)}`)).toEqual([]);
    expect(await json('/v1/scaling/policies?namespace=other')).toEqual([]);
  });

  it('are read whole, at their own index', async () => {
    const answer = await fetch(`${server.address}/v1/scaling/policy/${testId(1)}`);
    expect(answer.headers.get('x-nomad-index')).toBe('5');
    expect(await answer.json()).toMatchObject({ ID: testId(1), Min: 0, Max: 4 });
    const none = await fetch(`${server.address}/v1/scaling/policy/${testId(9)}`);
    expect([none.status, await none.text()]).toEqual([404, 'policy not found']);
  });

  it('are found by the beginning of their id', async () => {
    const found = await search('/v1/search', { Prefix: testId(1).slice(0, 8), Context: 'scaling_policy' });
    expect(found).toMatchObject({ Matches: { scaling_policy: [testId(1)] } });
  });
});

it('a fuzzy search finds what is in a job, each with where it stands', async () => {
  const found = await search('/v1/search/fuzzy', { Text: 'WEB', Context: 'all' });
  const { Matches } = found as { Matches: Record<string, object[]> };
  expect(Matches['jobs']).toEqual([{ ID: 'web', Scope: ['default', 'web'] }]);
  expect(Matches['services']).toContainEqual({ ID: 'web-front', Scope: ['default', 'web', 'g'] });
  expect(Matches['services']).toContainEqual({ ID: 'web-admin', Scope: ['default', 'web', 'g', 't'] });
  expect(Matches['commands']).toContainEqual({ ID: '/bin/webserver', Scope: ['default', 'plain', 'g', 't'] });
});
