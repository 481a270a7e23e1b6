/**
 * The room for processes goes while an agent runs: by the control group it is in, and by the limit of its user. A start then fails with what
 * is to be raised, at no other rung; the agent lives. Controls: the same job before, and after there is room again.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { nodeReady, shellJob } from '../e2e/jobs.ts';
import { instances } from '../processes.ts';

const root = process.getuid?.() === 0;
const hierarchy = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((path) => existsSync(join(path, 'cgroup.procs')));
const group = join(hierarchy ?? '', `drover-few-${process.pid}`);
const lonely = 61_239;
const config = { client: { options: { 'driver.allowlist': 'exec' } } };

async function known(agent: AgentProcess): Promise<void> {
  const node = await nodeReady(agent);
  await eventually(async () => {
    const { Attributes } = (await agent.client.nodes.read(node.ID)).value;
    expect(Attributes).toHaveProperty(['driver.exec.isolation']);
  });
}

/** What became of a job's only allocation. */
async function outcome(agent: AgentProcess, id: string) {
  const never = { ReschedulePolicy: { Attempts: 0, Unlimited: false } };
  await agent.client.jobs.register(shellJob(id, 'exec sleep 600', { driver: 'exec', group: never }));
  return eventually(async () => {
    const [row] = (await agent.client.jobs.allocations(id)).value;
    if (row?.ClientStatus !== 'running' && row?.ClientStatus !== 'failed') throw new Error(`${row?.ClientStatus}`);
    const { Events } = (await agent.client.allocations.read(row.ID)).value.TaskStates!['t']!;
    const said = (Events ?? []).map(({ Type, DisplayMessage }) => `${Type}: ${DisplayMessage}`).join('\n');
    const rung =
      row.ClientStatus === 'running' ? (await agent.client.allocations.isolation(row.ID)).value['t']?.rung : '';
    return { status: row.ClientStatus, said, rung, id: row.ID };
  });
}

async function withoutRoom(agent: AgentProcess, bound: () => void, free: () => void, remedy: RegExp): Promise<void> {
  await known(agent);
  const before = await outcome(agent, 'before');
  expect(before).toMatchObject({ status: 'running', rung: 'sandbox' });
  bound();
  const now = await outcome(agent, 'without-room');
  expect(now).toMatchObject({ status: 'failed', said: expect.stringMatching(remedy) });
  expect(instances().filter(({ allocId }) => allocId === now.id)).toEqual([]);
  expect((await agent.client.agent.health()).value).toBeTruthy();
  free();
  expect(await outcome(agent, 'after')).toMatchObject({ status: 'running', rung: before.rung });
}

const startInGroup = (): Promise<AgentProcess> => {
  mkdirSync(group);
  return startAgent({
    config,
    wrap: (command) => ['sh', '-c', `echo $$ >${group}/cgroup.procs && exec "$@"`, 'sh', ...command],
  });
};
const bind = (max: string): void => writeFileSync(join(group, 'pids.max'), max);
/** As many as there are now would not do: a program that has just run ends, and leaves room for another. */
const full = (): void => bind('1');
const free = (): void => bind('max');

async function endInGroup(agent: AgentProcess): Promise<void> {
  free();
  await agent.dispose();
  await eventually(() => rmdirSync(group), 20_000);
}

/** Without those that are told by how long something took. */
const steady = (names: readonly string[]): string[] =>
  names.filter((name) => !['isolation.cgroup.io', 'isolation.cgroup.cpu'].includes(name));

describe.skipIf(!root || hierarchy === undefined)('an agent that can start no more processes', () => {
  it('because its control group is full says so', { timeout: 300_000 }, async () => {
    const agent = await startInGroup();
    try {
      await withoutRoom(agent, full, free, new RegExp(`no more processes can be started: ${group} has`));
    } finally {
      await endInGroup(agent);
    }
  });

  it('looks again by itself once there is room: nobody asks, and its report is whole', {
    timeout: 300_000,
  }, async () => {
    const agent = await startInGroup();
    try {
      await known(agent);
      const { ID } = await nodeReady(agent);
      const report = async () => {
        const { Attributes, Drivers } = (await agent.client.nodes.read(ID)).value;
        const isolation = Object.entries(Attributes ?? {}).filter(([name]) => /isolation/.test(name));
        return {
          healthy: Drivers?.['exec']?.Healthy,
          verified: isolation.filter(([, value]) => value === 'verified').map(([name]) => name),
          rung: Attributes?.['driver.exec.isolation'],
          starved: isolation.filter(([, value]) => /EAGAIN|temporarily unavailable/i.test(value)).length > 0,
        };
      };
      const whole = await report();
      expect(whole).toMatchObject({ healthy: true, starved: false });
      full();
      process.kill(agent.pid, 'SIGHUP');
      await eventually(async () => expect(await report()).toMatchObject({ healthy: false, starved: true }), 120_000);
      free();
      await eventually(async () => {
        const { verified, ...now } = await report();
        expect(now).toEqual({ healthy: true, rung: whole.rung, starved: false });
        expect(verified).toEqual(expect.arrayContaining(steady(whole.verified)));
      }, 120_000);
      expect(await outcome(agent, 'after')).toMatchObject({ status: 'running', rung: 'sandbox' });
    } finally {
      await endInGroup(agent);
    }
  });

  it('because its user may have no more says so', { timeout: 300_000 }, async () => {
    const agent = await startAgent({ config, user: lonely });
    const each = (limit: string): void => {
      const pids = execFileSync('ps', ['-o', 'pid=', '-u', String(lonely)], { encoding: 'utf8' }).split(/\s+/);
      // as that user: root of a container may not set limits of others
      const as = ['--reuid', String(lonely), '--regid', String(lonely), '--clear-groups'];
      for (const pid of pids.filter((text) => text !== ''))
        spawnSync('setpriv', [...as, 'prlimit', '--pid', pid, `--nproc=${limit}:`]);
    };
    try {
      await withoutRoom(
        agent,
        () => each('1'),
        () => each('20000'),
        /uid 61239 may have 1; raise its limit/,
      );
    } finally {
      await agent.dispose();
    }
  });
});
