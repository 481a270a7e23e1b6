import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { Input } from '../../model/schema.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { TestCluster, testJob } from '../test-cluster.ts';

const withCommand = (command: string, group: Input<TaskGroup>): Job =>
  testJob('web', { Tasks: [{ Name: 't', Driver: 'mock_driver', Config: { command } }], ...group });

/** Version 0 runs and is a success; version 1 asks for canaries. */
function rolling(count: number, canary: number, more: Input<TaskGroup> = {}) {
  const cluster = new TestCluster();
  cluster.addNodes(3);
  const group = { Count: count, Update: { MaxParallel: 1, Canary: canary }, ...more };
  const first = cluster.register(withCommand('a', group)).plan;
  cluster.settle();
  end(cluster, first.deployment!, 'successful');
  const decision = cluster.register(withCommand('b', group));
  return { cluster, first, group, ...decision };
}

function end(cluster: TestCluster, { ID }: Deployment, Status: string): void {
  cluster.rows.deployments.set(ID, { ...cluster.rows.deployments.get(ID)!, Status });
}

const job = (cluster: TestCluster): Job => [...cluster.rows.jobs.values()][0]!;
const isCanary = ({ DeploymentStatus }: Allocation): boolean => DeploymentStatus?.Canary ?? false;
const shown = (cluster: TestCluster): readonly string[] =>
  cluster
    .live('web')
    .map((one) => `${one.Name.slice(5)} v${one.JobVersion}${isCanary(one) ? ' canary' : ''}`)
    .sort();
const canaries = (cluster: TestCluster): readonly Allocation[] => cluster.live('web').filter(isCanary);

describe('an update with canaries', () => {
  it('puts them beside the old version, under the names that they will replace', () => {
    const { cluster, plan } = rolling(3, 2);
    expect(plan.stops).toEqual([]);
    expect(plan.annotations!.DesiredTGUpdates!['g']).toMatchObject({
      Canary: 2,
      Place: 0,
      DestructiveUpdate: 0,
      Ignore: 3,
    });
    expect(plan.deployment).toMatchObject({
      StatusDescription: 'Deployment is running but requires manual promotion',
      TaskGroups: { g: { DesiredCanaries: 2, DesiredTotal: 3, Promoted: false } },
    });
    expect(shown(cluster)).toEqual(['[0] v0', '[0] v1 canary', '[1] v0', '[1] v1 canary', '[2] v0']);
    cluster.settle();
    const again = cluster.evaluate(job(cluster));
    expect([again.plan.stops, again.plan.placements]).toEqual([[], []]);
  });

  it('says that it promotes them itself where every group asks for that', () => {
    const { plan } = rolling(1, 1, { Update: { MaxParallel: 1, Canary: 1, AutoPromote: true } });
    expect(plan.deployment!.StatusDescription).toBe('Deployment is running pending automatic promotion');
  });

  it('starts a first version without any', () => {
    const { first } = rolling(3, 2);
    expect(first.placements.some(isCanary)).toBe(false);
    expect(first.deployment!.TaskGroups!['g']!.DesiredCanaries).toBe(0);
  });

  it('goes on once they are promoted: what they replace stops, the others follow step by step', () => {
    const { cluster, plan } = rolling(3, 1);
    cluster.settle();
    cluster.promote(plan.deployment!);
    const next = cluster.evaluate(job(cluster)).plan;
    expect(next.stops.map(({ Name, JobVersion }) => `${Name} v${JobVersion}`)).toEqual(['web.g[0] v0', 'web.g[1] v0']);
    expect(shown(cluster)).toEqual(['[0] v1', '[1] v1', '[2] v0']);
    cluster.settle();
    cluster.evaluate(job(cluster));
    expect(shown(cluster)).toEqual(['[0] v1', '[1] v1', '[2] v1']);
  });

  it('exchanges everything at once with as many of them as the group wants', () => {
    const { cluster, plan } = rolling(3, 3);
    cluster.settle();
    cluster.promote(plan.deployment!);
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    expect(shown(cluster)).toEqual(['[0] v1', '[1] v1', '[2] v1']);
  });

  it('takes names beyond the count where it asks for more of them, and lets the surplus go', () => {
    const { cluster, plan } = rolling(2, 4);
    expect(plan.placements.map(({ Name }) => Name)).toEqual(['web.g[0]', 'web.g[1]', 'web.g[2]', 'web.g[3]']);
    cluster.settle();
    cluster.promote(plan.deployment!);
    cluster.evaluate(job(cluster));
    expect(shown(cluster)).toEqual(['[0] v1', '[1] v1']);
  });

  it('grows only after the promotion', () => {
    const { cluster, group } = rolling(1, 1);
    const { plan } = cluster.register(withCommand('c', { ...group, Count: 3 }));
    expect(plan.deployment!.TaskGroups!['g']).toMatchObject({ DesiredTotal: 3, DesiredCanaries: 1 });
    expect(shown(cluster)).toEqual(['[0] v0', '[0] v2 canary']);
    cluster.settle();
    cluster.promote(plan.deployment!);
    cluster.evaluate(job(cluster));
    expect(shown(cluster)).toEqual(['[0] v0', '[0] v2', '[1] v2']);
    cluster.settle();
    cluster.evaluate(job(cluster));
    expect(shown(cluster)).toEqual(['[0] v2', '[1] v2', '[2] v2']);
  });

  it.each(['failed', 'cancelled'])('stops them when it %s, and only them', (status) => {
    const { cluster, plan } = rolling(2, 1);
    const [canary] = canaries(cluster);
    if (status === 'failed') end(cluster, plan.deployment!, 'failed');
    const next =
      status === 'failed'
        ? cluster.evaluate(job(cluster)).plan
        : cluster.register(withCommand('a', { Count: 2, Update: { MaxParallel: 1, Canary: 1 } })).plan;
    expect(next.stops).toMatchObject([{ ID: canary!.ID, DesiredDescription: 'alloc not needed due to job update' }]);
    expect(shown(cluster)).toEqual(status === 'failed' ? ['[0] v0', '[1] v0'] : ['[0] v2', '[1] v2']);
    cluster.settle();
    const quiet = cluster.evaluate(job(cluster)).plan;
    expect([quiet.stops, quiet.placements]).toEqual([[], []]);
  });

  it('stops those of the version before where the next one comes before they were promoted', () => {
    const { cluster, group } = rolling(2, 1);
    cluster.register(withCommand('c', group));
    expect(shown(cluster)).toEqual(['[0] v0', '[0] v2 canary', '[1] v0']);
  });

  it('places none while it is paused, and those that are missing when it goes on', () => {
    const { cluster, plan } = rolling(2, 2);
    end(cluster, plan.deployment!, 'paused');
    cluster.report(canaries(cluster)[0]!.ID, { ClientStatus: 'lost', DesiredStatus: 'stop' });
    expect(cluster.evaluate(job(cluster)).plan.placements).toEqual([]);
    end(cluster, plan.deployment!, 'running');
    expect(cluster.evaluate(job(cluster)).plan.placements).toMatchObject([{ DeploymentStatus: { Canary: true } }]);
  });

  it('brings back the old version where one of it is lost or has to move meanwhile', () => {
    const { cluster, first } = rolling(2, 1);
    const [a, b] = cluster.live('web').filter((one) => !isCanary(one));
    cluster.report(a!.ID, { DesiredTransition: { ...a!.DesiredTransition, Migrate: true } });
    cluster.fail(b!.ID);
    cluster.now += 3600e9;
    const { placements } = cluster.evaluate(job(cluster)).plan;
    expect(placements.map((one) => [one.PreviousAllocation, one.JobVersion, one.DeploymentID, isCanary(one)])).toEqual([
      [b!.ID, 0, first.deployment!.ID, false],
      [a!.ID, 0, first.deployment!.ID, false],
    ]);
  });

  it('replaces a canary that is told to move, is lost or failed by another canary', () => {
    const { cluster, plan } = rolling(3, 3, {
      ReschedulePolicy: { Unlimited: true, Delay: 5e9, DelayFunction: 'constant', MaxDelay: 5e9 },
    });
    cluster.settle();
    const [moving, failing] = canaries(cluster);
    cluster.report(moving!.ID, { DesiredTransition: { ...moving!.DesiredTransition, Migrate: true } });
    cluster.report(cluster.fail(failing!.ID).ID, cluster.health(failing!.ID, false));
    cluster.now += 6e9;
    const next = cluster.evaluate(job(cluster)).plan;
    expect(next.placements.map((one) => [one.PreviousAllocation, isCanary(one), one.DeploymentID])).toEqual([
      [failing!.ID, true, plan.deployment!.ID],
      ['', true, plan.deployment!.ID],
    ]);
    expect(canaries(cluster)).toHaveLength(3);
    expect(cluster.violations()).toEqual([]);
  });

  it('leaves a group alone that asks for none, beside one that does', () => {
    const cluster = new TestCluster();
    cluster.addNodes(3);
    const groups = (command: string): Job =>
      testJob(
        'web',
        {},
        {
          TaskGroups: ['slow', 'plain'].map((Name) => ({
            Name,
            Count: 2,
            Update: { MaxParallel: 2, Canary: Name === 'slow' ? 1 : 0 },
            Tasks: [{ Name: 't', Driver: 'mock_driver', Config: { command } }],
          })),
        },
      );
    const first = cluster.register(groups('a')).plan;
    cluster.settle();
    end(cluster, first.deployment!, 'successful');
    const { plan } = cluster.register(groups('b'));
    const updates = plan.annotations!.DesiredTGUpdates!;
    expect(updates['slow']).toMatchObject({ Canary: 1, DestructiveUpdate: 0 });
    expect(updates['plain']).toMatchObject({ Canary: 0, DestructiveUpdate: 2 });
  });

  it('never touches what runs before the promotion, and is whole after it, whatever the numbers', () => {
    const number = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(
        number(6),
        number(6),
        number(6),
        number(3),
        fc.infiniteStream(fc.nat(3)),
        (count, canary, to, parallel, events) => {
          const update = { MaxParallel: parallel, Canary: canary };
          const { cluster } = rolling(count, canary, { Update: update });
          const { plan } = cluster.register(withCommand('c', { Count: to, Update: update }));
          for (let step = 0; step < 6; step++) {
            const one = cluster.live('web')[step];
            const event = events.next().value;
            if (event === 0 && one !== undefined)
              cluster.report(cluster.fail(one.ID).ID, cluster.health(one.ID, false));
            if (event === 1 && one !== undefined)
              cluster.report(one.ID, { DesiredTransition: { ...one.DesiredTransition, Migrate: true } });
            cluster.now += 3600e9;
            const next = cluster.evaluate(job(cluster)).plan;
            expect(next.stops.some(({ DesiredDescription }) => DesiredDescription.includes('being updated'))).toBe(
              false,
            );
            expect(next.placements.every((placed) => isCanary(placed) === (placed.JobVersion === 2))).toBe(true);
            expect(cluster.live('web').filter((each) => !isCanary(each))).toHaveLength(Math.min(count, to));
            expect(canaries(cluster)).toHaveLength(canary);
            expect(cluster.violations()).toEqual([]);
            cluster.settle();
          }
          cluster.promote(plan.deployment!);
          for (let step = 0; step < 14; step++) {
            cluster.evaluate(job(cluster));
            expect(cluster.violations()).toEqual([]);
            cluster.settle();
          }
          const names = cluster.live('web').map(({ Name, JobVersion }) => `${Name} ${JobVersion}`);
          expect(names).toEqual(Array.from({ length: to }, (_, at) => `web.g[${at}] 2`));
        },
      ),
      { numRuns: 40 },
    );
  });
});
