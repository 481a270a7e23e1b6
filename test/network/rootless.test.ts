/** Networks without root: an agent of an ordinary user, real packets through its relay, and what must not be reached. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, freePort, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';
import { groupsOf, job, wait } from './groups.ts';
import { ask, attempt, greet, greeter, hostAddress, metadataAddress, ownHost, setUpHost } from './own-host.ts';

const ordinaryUser = 61_234;
const verifier = join(import.meta.dirname, '../../build/native/drover-verify');
const gateway = '172.26.64.2';
const possible = ownHost && spawnSync('slirp4netns', ['--version']).status === 0 && existsSync('/dev/net/tun');

interface Lease {
  readonly namespacePath: string;
  readonly processes: readonly { readonly pid: number }[];
}

const leasesOf = (agent: AgentProcess): string => join(agent.directory, 'data/client/networks');
const leaseOf = (agent: AgentProcess, allocId: string): Lease =>
  JSON.parse(readFileSync(join(leasesOf(agent), `${allocId}.json`), 'utf8')) as Lease;

/** Processes of the user's that belong to networks of this agent. */
function marked(agent: AgentProcess): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`DROVER_NETWORK=${leasesOf(agent)}`);
    } catch {
      return false;
    }
  });
}

describe.skipIf(!possible)('without root, a group with a network of its own', () => {
  let agent: AgentProcess;
  const { logs, start, stop } = groupsOf(() => agent);

  beforeAll(async () => {
    setUpHost();
    agent = await startAgent({ user: ordinaryUser });
    await nodeReady(agent);
  });
  afterAll(() => agent?.dispose());

  it('is reached by the ports it publishes, which its tasks are told', async () => {
    const fixed = await freePort();
    const ports = [
      { Label: 'fixed', Value: fixed },
      { Label: 'web', To: 80 },
    ];
    const both = `fork or do { ${greet(80, 'web')} }; ${greet('$ENV{NOMAD_PORT_fixed}', 'fixed')}`;
    const alloc = await start('ports', 'bridge', { t: { script: both } }, ports);
    for (const host of ['127.0.0.1', hostAddress])
      for (const label of ['fixed', 'web'])
        await eventually(async () => expect(await ask(host, alloc.port(label))).toContain(`${label} sees `));
    expect(alloc.port('fixed')).toBe(fixed);
    const { stdout } = await runCli(agent, ['alloc', 'exec', '-task', 't', alloc.id, '/usr/bin/env']);
    const told = stdout.split('\n').filter((line) => line.includes('_web='));
    for (const line of [
      `NOMAD_ADDR_web=${hostAddress}:${alloc.port('web')}`,
      `NOMAD_ALLOC_ADDR_web=${alloc.address}:80`,
      `NOMAD_HOST_PORT_web=${alloc.port('web')}`,
      'NOMAD_PORT_web=80',
    ])
      expect(told).toContain(line);
    const status = await runCli(agent, [
      'alloc',
      'exec',
      '-task',
      't',
      alloc.id,
      '/bin/cat',
      '/proc/self/status',
      '/proc/net/dev',
    ]);
    for (const line of ['CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2', 'eth0:'])
      expect(status.stdout).toContain(line);
    await stop('ports');
    await eventually(async () => expect(await ask('127.0.0.1', fixed)).toBe('ECONNREFUSED'));
  });

  it('is verified line by line: a network of its own, with a policy', async () => {
    const alloc = await start('lines', 'bridge', { t: { script: wait } });
    const { value } = await agent.client.allocations.isolation(alloc.id);
    const of = (name: string) => value['t']?.mechanisms.find((each) => each.name === name);
    expect(of('network_namespace')?.state).toBe('verified');
    expect(of('network_policy')).toMatchObject({
      state: 'verified',
      evidence: expect.stringContaining(metadataAddress),
    });
    // what an agent without root and without cgroups of its own cannot give is named
    expect(value['t']?.rung).toBe('sandbox');
    await stop('lines');
  });

  it('has the name that the job says, and may listen below 1024', async () => {
    const alloc = await start('named', 'bridge', { t: { script: greet(53, 'low') } }, [{ Label: 'dns', To: 53 }], {
      Hostname: 'pair',
    });
    await eventually(async () => expect(await ask(hostAddress, alloc.port('dns'))).toContain('low sees'));
    const name = await runCli(agent, ['alloc', 'exec', '-task', 't', alloc.id, '/bin/uname', '-n']);
    expect(name.stdout).toBe('pair\n');
    await stop('named');
  });

  it('shares its loopback between its tasks, whatever their drivers are', async () => {
    for (const mode of ['bridge', 'none']) {
      const serve = { driver: 'raw_exec', script: greet(8077, 'serve') };
      const asks = { script: `sleep 1; ${attempt(['127.0.0.1 8077'])} ${wait}` };
      // the strictest one cannot be told of raw_exec without a network: there both are exec
      const alloc = await start('shared', mode, {
        serve: mode === 'none' ? { script: serve.script } : serve,
        ask: asks,
      });
      await logs(alloc.id, 'ask', '127.0.0.1:8077 serve sees 127.0.0.1');
      expect(await ask('127.0.0.1', 8077)).toBe('ECONNREFUSED');
      await stop('shared');
    }
  });

  it('is ruled by what its tasks cannot change, at rung none too (control: its owner can)', async () => {
    const script = `$| = 1; system("/usr/sbin/nft flush ruleset 2>&1"); system("/usr/sbin/ip link set eth0 down 2>&1"); print "uid $<\\n"; ${wait}`;
    const alloc = await start('ruled', 'bridge', { t: { driver: 'raw_exec', script } });
    const seen = await logs(alloc.id, 't', 'uid ');
    expect(seen).toMatch(/Operation not permitted[\s\S]*Operation not permitted/);
    expect(seen).toContain(`uid ${ordinaryUser}`);
    const as = (...command: readonly string[]) =>
      spawnSync(
        'setpriv',
        [
          `--reuid=${ordinaryUser}`,
          `--regid=${ordinaryUser}`,
          '--clear-groups',
          verifier,
          'enter',
          leaseOf(agent, alloc.id).namespacePath,
          ...command,
        ],
        { encoding: 'utf8' },
      );
    expect(as('nft', 'list', 'ruleset').stdout).toContain(metadataAddress);
    expect(as('nft', 'flush', 'ruleset').status).toBe(0);
    expect(as('nft', 'list', 'ruleset').stdout).not.toContain(metadataAddress);
    await stop('ruled');
  });

  it('keeps its network when the agent is killed, and gets back what passes its packets on', async () => {
    const alloc = await start('kept', 'bridge', { t: { script: greet(80, 'kept') } }, [{ Label: 'web', To: 80 }]);
    await eventually(async () => expect(await ask(hostAddress, alloc.port('web'))).toContain('kept sees'));
    await agent.crash();
    expect(await ask(hostAddress, alloc.port('web'))).toContain('kept sees');
    const [, relay] = leaseOf(agent, alloc.id).processes;
    process.kill(relay!.pid, 'SIGKILL');
    agent = await agent.restart();
    await nodeReady(agent);
    const [row] = await allocationsOf(agent, 'kept', 'running');
    expect(row!.ID).toBe(alloc.id);
    await eventually(async () => expect(await ask('127.0.0.1', alloc.port('web'))).toContain('kept sees'));
    await stop('kept');
  });

  it('is held again when its holder was killed', async () => {
    const alloc = await start('unheld', 'bridge', { t: { script: greet(80, 'unheld') } }, [{ Label: 'web', To: 80 }]);
    const [holder] = leaseOf(agent, alloc.id).processes;
    process.kill(holder!.pid, 'SIGKILL');
    await eventually(async () => {
      expect(leaseOf(agent, alloc.id).processes[0]!.pid).not.toBe(holder!.pid);
      expect(await ask(hostAddress, alloc.port('web'))).toContain('unheld sees');
    }, 90_000);
    await stop('unheld');
  });

  it('fails with the port and the reason where somebody has it', async () => {
    const server = await greeter('0.0.0.0', await freePort(), 'taken');
    const { port } = server.address() as { port: number };
    await agent.client.jobs.register(job('taken', 'bridge', { t: { script: wait } }, [{ Label: 'web', Value: port }]));
    await eventually(async () => {
      const { value } = await agent.client.jobs.allocations('taken');
      expect(JSON.stringify(value)).toContain(
        `port ${port} (web, tcp) of the host cannot be had: another program has it`,
      );
    }, 90_000);
    await agent.client.jobs.deregister('taken', { purge: true });
    server.close();
  });

  it('leaves nothing behind: no process, lease, socket or FIFO', async () => {
    await agent.client.agent.collectGarbage();
    await eventually(() => expect(marked(agent)).toEqual([]));
    expect(readdirSync(leasesOf(agent))).toEqual([]);
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(`--api-socket ${leasesOf(agent)}`);
  });
});

describe.skipIf(!possible)('without root, the egress policy', () => {
  const servers: Server[] = [];
  beforeAll(async () => {
    setUpHost();
    servers.push(await greeter(metadataAddress, 80, 'metadata'), await greeter('127.0.0.1', 5557, 'loopback'));
    servers.push(await greeter(hostAddress, 5558, 'host'));
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  async function seenUnder(policy: object | null): Promise<(target: string) => string> {
    const agent = await startAgent({
      user: ordinaryUser,
      config: {
        bind_addr: '0.0.0.0',
        api: { allow_remote_without_acl: true },
        client: { enabled: true, ...(policy === null ? {} : { egress_policy: policy }) },
      },
    });
    const { logs, start } = groupsOf(() => agent);
    try {
      await nodeReady(agent);
      const neighbour = await start('neighbour', 'bridge', { t: { script: greet(80, 'neighbour') } }, [
        { Label: 'web', To: 80 },
      ]);
      const names: Record<string, string> = {
        agent: `${hostAddress} ${agent.port}`,
        agentByGateway: `${gateway} ${agent.port}`,
        published: `${hostAddress} ${neighbour.port('web')}`,
        loopback: `${gateway} 5557`,
        ownLoopback: '127.0.0.1 5557',
      };
      const targets = [`${metadataAddress} 80`, `${hostAddress} 5558`, '172.26.65.100 80', ...Object.values(names)];
      const script = attempt(targets).replace('my $line', 'print $s "GET / HTTP/1.0\\r\\n\\r\\n"; my $line');
      const attacker = await start('attacker', 'bridge', { t: { script: `${script} print "done\\n"; ${wait}` } });
      const text = await logs(attacker.id, 't', 'done');
      return (target) =>
        text.split('\n').find((line) => line.startsWith(`${(names[target] ?? target).replace(' ', ':')} `)) ?? text;
    } finally {
      await agent.dispose();
    }
  }

  it('keeps tasks from metadata, agent, loopback and other allocations, and from nothing else', async () => {
    const seen = await seenUnder(null);
    for (const target of [
      `${metadataAddress} 80`,
      'agent',
      'agentByGateway',
      'loopback',
      'ownLoopback',
      '172.26.65.100 80',
    ])
      expect(seen(target)).toMatch(/ refused: /);
    expect(seen(`${hostAddress} 5558`)).toContain('host');
    expect(seen('published')).toContain('neighbour sees');
  });

  it('is what kept them: switched off, the same connections get through (control)', async () => {
    const seen = await seenUnder({ deny: [] });
    expect(seen(`${metadataAddress} 80`)).toContain('metadata');
    expect(seen('agent')).toContain('HTTP/1.1 ');
    expect(seen('agentByGateway')).toContain('HTTP/1.1 ');
    expect(seen('loopback')).toContain('loopback');
  });

  it('is data: what an operator denies is denied', async () => {
    const seen = await seenUnder({ deny: ['metadata', 'host'], allow: [`${metadataAddress}:80`] });
    expect(seen(`${metadataAddress} 80`)).toContain('metadata');
    for (const target of [`${hostAddress} 5558`, 'agent', 'loopback'])
      expect(seen(target)).toMatch(/ refused: No route to host/);
  });
});
