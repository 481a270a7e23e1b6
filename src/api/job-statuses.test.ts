import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deployment } from '../model/deployment.ts';
import { fill } from '../model/fill.ts';
import { allocationRow, type FakeServer, jobChanges, jobRow, startFakeServer, testId } from './fake-agent.ts';

let server: FakeServer;

beforeEach(async () => {
  server = await startFakeServer();
  const deployment = fill(Deployment, {
    ID: testId(7),
    Namespace: 'default',
    JobID: 'web',
    Status: 'running',
    TaskGroups: { g: { DesiredCanaries: 1, AutoPromote: false } },
  });
  await server.put(
    ...jobChanges(jobRow({ ID: 'web', TaskGroups: [{ Name: 'g', Count: 2 }], Meta: { 'pack.name': 'p' } }, 3)),
    ...jobChanges(jobRow({ ID: 'cron', Type: 'batch', Periodic: { Enabled: true, Spec: '@daily' } }, 5)),
    ...jobChanges(jobRow({ ID: 'cron/periodic-1', Type: 'batch', ParentID: 'cron', Status: 'dead' }, 6)),
    { table: 'allocations', id: testId(1), row: allocationRow({ ID: testId(1), JobID: 'web', TaskGroup: 'g' }) },
    { table: 'deployments', id: deployment.ID, row: deployment },
  );
});
afterEach(() => server.close());

interface Row {
  readonly ID: string;
}
const list = async (path: string, body?: object) => {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(server.address + path, init);
  return { rows: (await answer.json()) as Row[], next: answer.headers.get('x-nomad-nexttoken') };
};
const ids = (rows: readonly Row[]) => rows.map(({ ID }) => ID);

it('shows jobs with their allocations and latest deployment, what changed last first', async () => {
  const { rows } = await list('/v1/jobs/statuses');
  expect(ids(rows)).toEqual(['cron', 'web']);
  expect(rows[0]).toMatchObject({ Allocs: null, ChildStatuses: ['dead'], LatestDeployment: null, IsPack: false });
  expect(rows[1]).toMatchObject({
    Allocs: [{ ID: testId(1), Group: 'g', DeploymentStatus: { Canary: false, Healthy: null }, HasPausedTask: false }],
    ChildStatuses: null,
    GroupCountSum: 2,
    IsPack: true,
    LatestDeployment: { ID: testId(7), IsActive: true, AllAutoPromote: false, RequiresPromotion: true },
  });
});

it('leaves out what others launched, unless that is asked for', async () => {
  expect(ids((await list('/v1/jobs/statuses?include_children=true')).rows)).toEqual(['cron/periodic-1', 'cron', 'web']);
  const named = await list('/v1/jobs/statuses', { Jobs: [{ ID: 'cron/periodic-1', Namespace: 'default' }] });
  expect(ids(named.rows)).toEqual(['cron/periodic-1']);
});

it('goes in pages in both directions, and filters', async () => {
  const first = await list('/v1/jobs/statuses?per_page=1');
  expect([ids(first.rows), first.next]).toEqual([['cron'], '3']);
  expect(ids((await list('/v1/jobs/statuses?per_page=1&next_token=3')).rows)).toEqual(['web']);
  expect(ids((await list('/v1/jobs/statuses?reverse=true')).rows)).toEqual(['web', 'cron']);
  expect(ids((await list('/v1/jobs/statuses?filter=Type=="batch"')).rows)).toEqual(['cron']);
});
