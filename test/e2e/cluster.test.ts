/** One server and three clients of different ability, as agents of their own that meet over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { endLeftovers, instances } from '../processes.ts';
import { type BadNetwork, badNetwork } from './bad-network.ts';
import { runCli } from './cli.ts';
import { allocationsOf, nodeReady, output, shellJob } from './jobs.ts';
import { users } from './users.ts';

const token = 'the-join-token-of-this-test';
const forever = 'echo pid $$; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done';
const on = (attribute: string, operand: string, value: string) => ({
  LTarget: attribute,
  Operand: operand,
  RTarget: value,
});
const cgroupParent = `drover-e2e-${process.pid}`;

/** Of the agents of the tests that run now. */
let uid: number | undefined;
const owner = () => (uid === undefined ? {} : { user: uid });

function startServer(): Promise<AgentProcess> {
  return startAgent({
    ...owner(),
    args: ['-server'],
    config: {
      name: 'server1',
      server: { enabled: true, join_token: token, min_heartbeat_ttl: '1s', heartbeat_grace: '1s' },
    },
  });
}

interface NodeOptions {
  readonly client?: Record<string, unknown>;
  readonly rawExec?: boolean;
  readonly joinToken?: string;
}

function startNode(name: string, port: number, options: NodeOptions = {}): Promise<AgentProcess> {
  const { client = {}, rawExec = true, joinToken = token } = options;
  const servers = [`127.0.0.1:${port}`];
  return startAgent({
    ...owner(),
    args: ['-client'],
    config: {
      name,
      client: { enabled: true, servers, join_token: joinToken, cgroup_parent: cgroupParent, ...client },
      plugin: { raw_exec: { config: { enabled: rawExec } } },
    },
  });
}

async function endAll(server: AgentProcess, nodes: readonly AgentProcess[]): Promise<void> {
  const { value: jobs } = await server.client.jobs.list();
  for (const job of jobs) await server.client.jobs.deregister(job.ID, { purge: true });
  await eventually(async () => {
    const { value } = await server.client.allocations.list();
    if (value.some((row) => row.ClientStatus === 'running')) throw new Error('allocations still run');
  }, 10_000).catch(() => undefined);
  for (const node of nodes) await node.crash();
  for (const node of nodes) await endLeftovers(node.directory, cgroupParent);
  for (const agent of [...nodes, server]) await agent.dispose();
}

const nodesOf = (rows: readonly { readonly NodeName: string }[]): string[] => rows.map((row) => row.NodeName).sort();

const isRoot = process.getuid?.() === 0;
const settings = users
  .filter(({ skip }) => !skip)
  // the network does not depend on the user
  .flatMap((user) =>
    (user.uid === undefined ? (['a good', 'a bad'] as const) : (['a good'] as const)).map((network) => ({
      user,
      network,
    })),
  );
for (const { user, network } of settings) {
  describe(`a server and three clients of ${user.who} over ${network} network`, () => {
    let server: AgentProcess;
    let proxy: BadNetwork | null = null;
    let port: number;
    const nodes = new Map<string, AgentProcess>();

    beforeAll(async () => {
      uid = user.uid;
      server = await startServer();
      port = server.port;
      if (network === 'a bad') {
        proxy = await badNetwork(port, { delayMs: 150, lost: 0.05, unanswered: 0.05, twice: 0.1, random: Math.random });
        port = proxy.port;
      }
      nodes.set('plain', await startNode('plain', port));
      nodes.set('strict', await startNode('strict', port, { rawExec: false }));
      const big = { node_class: 'big', meta: { rack: 'r7' }, options: { 'driver.denylist': 'exec' } };
      nodes.set('big', await startNode('big', port, { client: big }));
      for (const name of nodes.keys()) await nodeReady(server, name);
    });
    afterAll(async () => {
      await endAll(server, [...nodes.values()]);
      await proxy?.close();
    });

    const again = async (name: string): Promise<AgentProcess> => {
      const next = await nodes.get(name)!.restart();
      nodes.set(name, next);
      return next;
    };
    const stop = async (job: string): Promise<void> => {
      await server.client.jobs.deregister(job, { purge: false });
      await eventually(async () => {
        const { value } = await server.client.jobs.allocations(job);
        if (value.some((row) => row.ClientStatus === 'running' || row.ClientStatus === 'pending'))
          throw new Error(`${job} still runs`);
      });
    };

    it('lets nobody join without the token', async () => {
      for (const joinToken of ['wrong', '']) {
        const stranger = await startNode('stranger', server.port, { joinToken });
        try {
          await eventually(() => expect(stranger.log()).toMatch(/join|token|denied|refused/i), 5_000);
          const { value } = await server.client.nodes.list();
          expect(nodesOf(value.map((row) => ({ NodeName: row.Name })))).toEqual(['big', 'plain', 'strict']);
        } finally {
          await stranger.crash();
          await endLeftovers(stranger.directory, cgroupParent);
          await stranger.dispose();
        }
      }
    });

    it('places by driver, class, meta and name, and says why where it cannot', async () => {
      const register = (id: string, more: Parameters<typeof shellJob>[2]) =>
        server.client.jobs.register(shellJob(id, forever, more));
      await register('anywhere', { type: 'system' });
      await register('rack', { constraints: [on('${meta.rack}', '=', 'r7')] });
      await register('class', { constraints: [on('${node.class}', '=', 'big')] });
      await register('name', { constraints: [on('${node.unique.name}', '=', 'plain')] });
      await register('nowhere', { constraints: [on('${meta.rack}', '=', 'r9')] });
      expect(nodesOf(await allocationsOf(server, 'anywhere', 'running', 2))).toEqual(['big', 'plain']);
      expect(nodesOf(await allocationsOf(server, 'rack', 'running'))).toEqual(['big']);
      expect(nodesOf(await allocationsOf(server, 'class', 'running'))).toEqual(['big']);
      expect(nodesOf(await allocationsOf(server, 'name', 'running'))).toEqual(['plain']);
      const status = await eventually(async () => {
        const ran = await runCli(server, ['job', 'status', 'nowhere']);
        expect(ran.stdout).toContain('Constraint "${meta.rack} = r9"');
        return ran.stdout;
      });
      expect(status).toContain('missing drivers');
      for (const job of ['anywhere', 'rack', 'class', 'name', 'nowhere']) await stop(job);
    });

    it.skipIf(!isRoot)('runs exec only where it may', async () => {
      await server.client.jobs.register(shellJob('boxes', forever, { driver: 'exec', type: 'system' }));
      expect(nodesOf(await allocationsOf(server, 'boxes', 'running', 2))).toEqual(['plain', 'strict']);
      await stop('boxes');
    });

    it('says what each node would refuse, in the words of the node', async () => {
      const job = shellJob('refused', 'true');
      const group = job.TaskGroups![0]!;
      const wrong = { ...group.Tasks![0]!, Config: { command: '${meta.rack}/no-such-program' } };
      const asked = { ...job, TaskGroups: [{ ...group, Tasks: [wrong] }] };
      for (const agent of [server, nodes.get('strict')!]) {
        const { value } = await agent.client.jobs.explainFile(asked);
        const rows = value.Groups[0]!.Nodes.map(({ NodeName, Tasks: [said] }) => [
          NodeName,
          said!.Refusals.join(),
          said!.NotAsked,
        ]);
        const absent = (path: string) => expect.stringContaining(`binary "${path}/no-such-program" could not be found`);
        expect(Object.fromEntries(rows.map(([name, ...said]) => [name, said]))).toEqual({
          plain: [expect.stringContaining('there is no variable "meta"'), ''],
          strict: ['', 'no allocation of the group is placed there'],
          big: [absent('r7'), ''],
        });
      }
    });

    it('shows logs, files, statistics and commands of allocations on other nodes, whichever agent is asked', async () => {
      await server.client.jobs.register(shellJob('far', forever, { constraints: [on('${node.class}', '=', 'big')] }));
      const [row] = await allocationsOf(server, 'far', 'running');
      // what a node passes on goes through the same network, which may lose it
      for (const asked of network === 'a good' ? [server, nodes.get('strict')!] : [server]) {
        await eventually(async () => expect(await output(asked, row!.ID)).toContain('line 1\n'));
        const files = await asked.client.files.list(row!.ID, '/alloc/logs');
        expect(files.value.map((file) => file.Name)).toContain('t.stdout.0');
        const ran = await runCli(asked, ['alloc', 'exec', '-t=false', row!.ID, '/bin/sh', '-c', 'echo in; exit 4']);
        expect(ran).toMatchObject({ code: 4, stdout: 'in\n' });
        expect((await asked.client.allocations.stats(row!.ID)).value.ResourceUsage).toBeDefined();
        expect((await asked.client.jobs.read('far')).value.ID).toBe('far');
      }
      await server.client.allocations.restart(row!.ID);
      await eventually(async () => {
        const { value } = await server.client.allocations.read(row!.ID);
        if (value.TaskStates?.['t']?.Restarts !== 1) throw new Error('not restarted yet');
      });
      await stop('far');
    });

    it('replaces what a lost node ran, and when it is back runs exactly one of each', async () => {
      await server.client.jobs.register(shellJob('wandering', forever, { count: 2 }));
      const before = await allocationsOf(server, 'wandering', 'running', 2);
      const victim = before[0]!.NodeName;
      const other = victim === 'big' ? 'plain' : 'big';
      await nodes.get(victim)!.crash();
      await nodeReady(server, victim, 'down', 30_000);
      // the node is down first, then what it ran is lost and replaced
      const after = await eventually(async () => {
        const rows = await allocationsOf(server, 'wandering', 'running', 2, 30_000);
        expect(new Set(nodesOf(rows))).toEqual(new Set([other]));
        return rows;
      }, 90_000);
      const lost = (await server.client.jobs.allocations('wandering')).value.filter(
        (row) => row.ClientStatus === 'lost',
      );
      expect(lost.length).toBe(before.filter((row) => row.NodeName === victim).length);

      await again(victim);
      await nodeReady(server, victim);
      await eventually(() => {
        const running = instances().filter((one) => [...before, ...after].some((row) => row.ID === one.allocId));
        expect(running.map((one) => one.allocId).sort()).toEqual(after.map((row) => row.ID).sort());
      });
      await stop('wandering');
    }, 120_000);

    it('gives an ineligible node nothing new, and empties one that is drained', async () => {
      const plain = await nodeReady(server, 'plain');
      expect(await runCli(server, ['node', 'eligibility', '-disable', plain.ID])).toMatchObject({ code: 0 });
      await server.client.jobs.register(shellJob('elsewhere', forever, { count: 2 }));
      expect(new Set(nodesOf(await allocationsOf(server, 'elsewhere', 'running', 2)))).toEqual(new Set(['big']));
      expect(await runCli(server, ['node', 'eligibility', '-enable', plain.ID])).toMatchObject({ code: 0 });

      const big = await nodeReady(server, 'big');
      const drained = await runCli(server, ['node', 'drain', '-enable', '-deadline', '20s', '-yes', big.ID]);
      expect(drained).toMatchObject({ code: 0 });
      const moved = await allocationsOf(server, 'elsewhere', 'running', 2, 30_000);
      expect(new Set(nodesOf(moved))).toEqual(new Set(['plain']));
      const { value } = await server.client.nodes.read(big.ID);
      expect(value).toMatchObject({ SchedulingEligibility: 'ineligible' });
      expect(value.LastDrain?.Status).toBe('complete');
      expect(await runCli(server, ['node', 'eligibility', '-enable', big.ID])).toMatchObject({ code: 0 });
      await stop('elsewhere');
    }, 120_000);

    it.skipIf(network === 'a good')('was really tried', () => {
      expect(proxy!.counts.lost + proxy!.counts.unanswered).toBeGreaterThan(10);
      expect(proxy!.counts.twice).toBeGreaterThan(10);
    });
  });
}
