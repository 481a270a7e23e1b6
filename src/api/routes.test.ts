import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessQuestion, permitAll } from './access.ts';
import { allocationRow, type FakeServer, jobChanges, jobRow, startFakeServer, testId } from './fake-agent.ts';
import { allRoutes } from './routes.ts';

const goldenFile = new URL('./routes.golden.json', import.meta.url);

const described = allRoutes({})
  .flatMap((route) =>
    route.methods.map((method) => ({
      method,
      path: route.path,
      kind: 'list' in route ? 'list' : route.kind,
      capability: route.access.capability,
      scope: route.access.scope,
      ...('rowCapability' in route ? { rows: route.rowCapability } : {}),
      target: (route.target ?? { kind: 'server' }).kind,
    })),
  )
  .sort((left, right) => (left.path + left.method < right.path + right.method ? -1 : 1));

it('every route stands in the golden file with who may use it (UPDATE_GOLDEN=1 writes it)', () => {
  const text = `[\n${described.map((route) => `  ${JSON.stringify(route)}`).join(',\n')}\n]\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(goldenFile, text);
  expect(text).toBe(readFileSync(goldenFile, 'utf8'));
});

describe('a policy that denies everything', () => {
  let server: FakeServer;
  beforeAll(async () => {
    const policy = {
      ...permitAll,
      allows: (_caller: unknown, { capability }: AccessQuestion) => capability === 'open',
    };
    server = await startFakeServer({ policy });
    await server.put(...jobChanges(jobRow({ ID: 'x' })), {
      table: 'allocations',
      id: testId(1),
      row: allocationRow({ ID: testId(1), JobID: 'x' }),
    });
  });
  afterAll(() => server.close());

  const closed = described.filter((route) => route.capability !== 'open');

  it.each(closed.map((route) => [route.method, route.path]))('is asked by %s %s', async (method, path) => {
    const target = path.replace('{alloc}', testId(1)).replace(/\{\w+\}/g, 'x');
    const answer = await fetch(server.address + target, {
      method,
      ...(method === 'GET' ? {} : { body: '{"Job":{"ID":"x"}}' }),
    });
    expect([answer.status, await answer.text()]).toEqual([403, 'Permission denied']);
  });

  it('shows no row of any namespace where all are asked for', async () => {
    for (const path of ['/v1/jobs', '/v1/allocations', '/v1/evaluations', '/v1/deployments'])
      expect(await (await fetch(`${server.address}${path}?namespace=*`)).text()).toBe('[]');
  });

  it('refuses to open a WebSocket', async () => {
    const session = server.client.exec(testId(1), { task: 't', command: ['true'], tty: false });
    await expect(session).rejects.toThrow('Unexpected response code: 403 (Permission denied)');
  });
});

it('a policy sees the namespace of the body, of the object, and of each row', async () => {
  const asked: AccessQuestion[] = [];
  const policy = {
    ...permitAll,
    allows: (_caller: unknown, question: AccessQuestion) => {
      asked.push(question);
      return question.namespace !== 'dev';
    },
  };
  const server = await startFakeServer({ policy });
  const row = allocationRow({ ID: testId(1), JobID: 'x', Namespace: 'dev' });
  await server.put(
    { table: 'allocations', id: row.ID, row },
    ...jobChanges(jobRow({ ID: 'a' })),
    ...jobChanges(jobRow({ ID: 'b', Namespace: 'dev' })),
  );
  await expect(server.client.allocations.read(row.ID)).rejects.toThrow('403');
  expect(asked.at(-1)).toEqual({ capability: 'read-job', namespace: 'dev' });
  await expect(server.client.jobs.register({ ID: 'x', Namespace: 'dev' })).rejects.toThrow('403');
  expect(asked.at(-1)).toEqual({ capability: 'submit-job', namespace: 'dev' });
  const { value, nextToken } = await server.client.jobs.list({ query: { namespace: '*', per_page: 1 } });
  expect([value.map((job) => job.ID), nextToken]).toEqual([['a'], '']);
  const own = allocationRow({ ID: testId(2), JobID: 'a', NodeID: testId(9) });
  const foreign = allocationRow({ ID: testId(3), JobID: 'b', NodeID: testId(9), Namespace: 'dev' });
  await server.put(...[own, foreign].map((each) => ({ table: 'allocations' as const, id: each.ID, row: each })));
  expect((await server.client.nodes.allocations(testId(9))).value.map((each) => each.ID)).toEqual([own.ID]);
  await server.close();
});
