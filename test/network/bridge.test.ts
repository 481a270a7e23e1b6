import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';
import { groupsOf, job, variablesOf, wait } from './groups.ts';
import {
  ask,
  attempt,
  greet,
  greeter,
  hostAddress,
  inside,
  leftovers,
  metadataAddress,
  ownHost,
  run,
  setUpHost,
} from './own-host.ts';

describe.skipIf(!ownHost)('a group with a network of its own', () => {
  let agent: AgentProcess;
  const servers: Server[] = [];

  beforeAll(async () => {
    setUpHost();
    servers.push(await greeter(metadataAddress, 80, 'metadata'), await greeter('127.0.0.1', 5555, 'loopback'));
    agent = await startAgent();
    await nodeReady(agent);
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await agent.dispose();
  });

  const { logs, start, stop } = groupsOf(() => agent);

  it('shares its loopback between its tasks, whatever their drivers are', async () => {
    const alloc = await start('shared', 'bridge', {
      serve: { script: greet(80, 'serve') },
      ask: { driver: 'raw_exec', script: `sleep 1; ${attempt(['127.0.0.1 80'])} ${wait}` },
    });
    await logs(alloc.id, 'ask', '127.0.0.1:80 serve sees 127.0.0.1');
    expect(await ask('127.0.0.1', 80)).toBe('ECONNREFUSED');
    await stop('shared');
  });

  it('is reached from the host by static and dynamic ports and by where they lead, over loopback too', async () => {
    const ports = [
      { Label: 'fixed', Value: 8099 },
      { Label: 'web', To: 80 },
      { Label: 'same', To: -1 },
    ];
    const all = `fork or do { ${greet(80, 'web')} }; fork or do { ${greet('$ENV{NOMAD_PORT_same}', 'same')} }; ${greet('$ENV{NOMAD_PORT_fixed}', 'fixed')}`;
    const alloc = await start('ports', 'bridge', { t: { script: all } }, ports);
    for (const host of ['127.0.0.1', hostAddress]) {
      for (const label of ['fixed', 'web', 'same'])
        await eventually(async () => expect(await ask(host, alloc.port(label))).toContain(`${label} sees `));
    }
    expect(alloc.port('fixed')).toBe(8099);
    expect(alloc.address).toMatch(/^172\.26\./);
    const { stdout } = await runCli(agent, ['alloc', 'exec', '-task', 't', alloc.id, '/usr/bin/env']);
    expect(
      stdout
        .split('\n')
        .filter((line) => /_(web)=/.test(line))
        .sort(),
    ).toEqual(variablesOf('web', alloc, hostAddress, 80));
    const session = await runCli(agent, [
      'alloc',
      'exec',
      '-task',
      't',
      alloc.id,
      '/bin/cat',
      '/proc/self/status',
      '/proc/net/dev',
    ]);
    for (const line of [
      'Uid:\t65534\t65534\t65534\t65534',
      'CapEff:\t0000000000000000',
      'CapBnd:\t0000000000000000',
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
      'eth0:',
    ])
      expect(session.stdout).toContain(line);
    await stop('ports');
    await eventually(async () => expect(await ask('127.0.0.1', 8099)).toBe('ECONNREFUSED'));
  });

  it('calls its own published port, and that of another allocation, but nothing else of that one', async () => {
    const one = await start('one', 'bridge', { t: { script: greet(80, 'one') } }, [{ Label: 'web', To: 80 }]);
    const targets = [`${one.address} 80`, `${hostAddress} ${one.port('web')}`];
    const two = await start('two', 'bridge', { t: { script: `${attempt(targets)} ${wait}` } });
    const seen = await logs(two.id, 't', `${hostAddress}:${one.port('web')} `);
    expect(seen).toContain(`${one.address}:80 refused: `);
    expect(seen).toContain(`${hostAddress}:${one.port('web')} one sees ${two.address}`);
    const own = inside(one.id, 'perl', '-e', attempt([`${hostAddress} ${one.port('web')}`]));
    expect(own).toContain('one sees ');
    await stop('one');
    await stop('two');
  });

  it('runs at rung container, with every line verified', async () => {
    const alloc = await start('rung', 'bridge', { t: { script: wait } });
    const { value } = await agent.client.allocations.read(alloc.id);
    expect(value.TaskStates?.['t']?.State).toBe('running');
    const report = await runCli(agent, ['operator', 'api', `/v1/client/allocation/${alloc.id}/isolation`]);
    const { t } = JSON.parse(report.stdout) as {
      t: { rung: string; mechanisms: { name: string; state: string; evidence: string }[] };
    };
    expect(t.mechanisms.filter((each) => each.state !== 'verified' && each.name !== 'disk_quota')).toEqual([]);
    expect(t.mechanisms.find((each) => each.name === 'network_policy')?.evidence).toContain(metadataAddress);
    expect(t.rung).toBe('container');
    await stop('rung');
  });

  it('has the name and the name servers that the job says', async () => {
    const more = {
      Hostname: 'pair-${NOMAD_ALLOC_INDEX}',
      DNS: { Servers: ['10.0.0.53'], Searches: ['a.example'], Options: ['ndots:2'] },
    };
    const alloc = await start('named', 'bridge', { t: { script: wait } }, [], more);
    const read = async (...command: readonly string[]): Promise<string> =>
      (await runCli(agent, ['alloc', 'exec', '-task', 't', alloc.id, ...command])).stdout;
    expect(await read('/bin/uname', '-n')).toBe('pair-0\n');
    expect(await read('/bin/cat', '/etc/resolv.conf')).toBe(
      'nameserver 10.0.0.53\nsearch a.example\noptions ndots:2\n',
    );
    expect(await read('/usr/bin/getent', 'hosts', 'pair-0')).toMatch(new RegExp(`^${alloc.address} +pair-0\\n$`));
    expect(await read('/bin/sh', '-c', 'echo x >> /etc/hosts || echo read-only')).toContain('read-only');
    await stop('named');
  });

  it('may listen below 1024 without a capability', async () => {
    const alloc = await start('low', 'bridge', { t: { script: greet(53, 'low') } }, [{ Label: 'dns', To: 53 }]);
    await eventually(async () => expect(await ask(hostAddress, alloc.port('dns'))).toContain('low sees'));
    await stop('low');
  });

  it('with mode "none" has a loopback that its tasks share, and nothing else', async () => {
    const alloc = await start('alone', 'none', {
      serve: { script: greet(80, 'serve') },
      ask: {
        script: `sleep 1; ${attempt(['127.0.0.1 80', `${hostAddress} ${agent.port}`])} open my $d, "<", "/proc/net/dev"; print <$d>; print "end\n"; ${wait}`,
      },
    });
    const seen = await logs(alloc.id, 'ask', 'end');
    expect(seen).toContain('127.0.0.1:80 serve sees 127.0.0.1');
    expect(seen).toContain(`${hostAddress}:${agent.port} refused: `);
    expect(seen.match(/^ *\w+:/gm)).toEqual(['    lo:']);
    await stop('alone');
  });

  it('keeps its network when the agent is killed and starts again', async () => {
    const alloc = await start('kept', 'bridge', { t: { script: greet(80, 'kept') } }, [{ Label: 'web', To: 80 }]);
    await eventually(async () => expect(await ask(hostAddress, alloc.port('web'))).toContain('kept sees'));
    await agent.crash();
    expect(await ask(hostAddress, alloc.port('web'))).toContain('kept sees');
    agent = await agent.restart();
    await nodeReady(agent);
    const [row] = await allocationsOf(agent, 'kept', 'running');
    expect(row!.ID).toBe(alloc.id);
    expect((await agent.client.allocations.read(alloc.id)).value.NetworkStatus?.Address).toBe(alloc.address);
    expect(await ask('127.0.0.1', alloc.port('web'))).toContain('kept sees');
    await stop('kept');
  });

  it('is found again when the file of its namespace was taken away', async () => {
    const alloc = await start('hidden', 'bridge', { t: { script: greet(80, 'hidden') } }, [{ Label: 'web', To: 80 }]);
    await agent.crash();
    run('ip', 'netns', 'del', alloc.id);
    agent = await agent.restart();
    await nodeReady(agent);
    await allocationsOf(agent, 'hidden', 'running');
    await eventually(() => expect(existsSync(`/run/netns/${alloc.id}`)).toBe(true));
    expect(await ask(hostAddress, alloc.port('web'))).toContain('hidden sees');
    await stop('hidden');
  });

  it('is made anew where all of it was lost with its tasks', async () => {
    const alloc = await start('again', 'bridge', { t: { script: greet(80, 'again') } }, [{ Label: 'web', To: 80 }]);
    await agent.crash();
    for (const pid of run('ip', 'netns', 'pids', alloc.id)
      .split('\n')
      .filter((each) => each !== ''))
      process.kill(Number(pid), 'SIGKILL');
    run('ip', 'netns', 'del', alloc.id);
    await eventually(() => expect(run('ip', '-o', 'link')).not.toMatch(/dv[0-9a-f]{13}/));
    agent = await agent.restart();
    await nodeReady(agent);
    const isBack = async () => expect(await ask(hostAddress, alloc.port('web'))).toContain('again sees');
    await eventually(isBack, 60_000);
    await stop('again');
  });

  it('gets its rules and its interface back when somebody takes them away', async () => {
    const alloc = await start('mended', 'bridge', { t: { script: greet(80, 'mended') } }, [{ Label: 'web', To: 80 }]);
    const [link] = run('ip', '-o', 'link').match(/dv[0-9a-f]{13}/) ?? [];
    run('nft', 'flush', 'ruleset');
    run('ip', 'link', 'del', link!);
    expect(await ask(hostAddress, alloc.port('web'))).toBe('ECONNREFUSED');
    await eventually(async () => expect(await ask(hostAddress, alloc.port('web'))).toContain('mended sees'), 30_000);
    expect(inside(alloc.id, 'perl', '-e', attempt([`${metadataAddress} 80`]))).toContain('refused');
    await stop('mended');
  });

  it('gets what forbids it something back when somebody takes a single rule away, which is said', async () => {
    const alloc = await start('ruled', 'bridge', { t: { script: greet(80, 'ruled') } }, [{ Label: 'web', To: 80 }]);
    const tables = () => run('nft', 'list', 'tables');
    const [, table] = /table inet (drover_\S+)/.exec(tables())!;
    const egress = () => run('nft', '-s', 'list', 'chain', 'inet', table!, 'egress');
    const before = egress();
    expect(before).toContain('reject');
    const said = () => agent.log().match(/a network was mended.*the rules of table \S+ were changed/g)?.length ?? 0;
    run('nft', 'flush', 'chain', 'inet', table!, 'egress');
    expect(egress()).not.toContain('reject');
    await eventually(() => expect(egress()).toBe(before), 60_000);
    await eventually(() => expect(said()).toBe(1));
    expect(inside(alloc.id, 'perl', '-e', attempt([`${metadataAddress} 80`]))).toContain('refused');
    expect(await ask(hostAddress, alloc.port('web'))).toContain('ruled sees');
    await stop('ruled');
  });

  it('is refused with a reason where a driver cannot join it', async () => {
    await agent.client.jobs.register(job('cannot', 'cni/other', { t: { script: wait } }));
    await eventually(async () => {
      const { value } = await agent.client.jobs.evaluations('cannot');
      const failed = value.flatMap((each) => Object.values(each.FailedTGAllocs ?? {}));
      expect(failed[0]?.ConstraintFiltered).toEqual({ 'missing network': 1 });
    });
    await agent.client.jobs.deregister('cannot', { purge: true });
  });

  it('leaves nothing behind: no namespace, interface, route, rule or lease', async () => {
    await agent.client.agent.collectGarbage();
    await eventually(() => expect(leftovers()).toEqual([]));
    expect(readdirSync(join(agent.directory, 'data/client/networks'))).toEqual([]);
    expect(readFileSync('/proc/net/route', 'utf8')).not.toMatch(/dv[0-9a-f]/);
  });
});

/** Perl: what is heard by every host on the way that listens. */
const toEveryone =
  'IO::Socket::INET->new(Proto => "udp", PeerAddr => "255.255.255.255", PeerPort => 5557, Broadcast => 1)->send("broadcast");';

describe.skipIf(!ownHost)('the egress policy', () => {
  let agent: AgentProcess;
  const servers: Server[] = [];
  const listener = createSocket('udp4');
  /** By the host, of what was sent to everyone: a port on every address of the host. */
  let heard = '';

  beforeAll(async () => {
    setUpHost();
    servers.push(await greeter(metadataAddress, 80, 'metadata'), await greeter('127.0.0.1', 5555, 'loopback'));
    servers.push(await greeter(hostAddress, 5556, 'host'));
    listener.on('message', (text) => (heard += text)).bind(5557);
    await once(listener, 'listening');
  });
  afterAll(() => {
    for (const server of servers) server.close();
    listener.close();
  });

  /** What a task inside sees when it connects to each target, under an agent of this policy. */
  async function seenUnder(policy: object | null, mode = 'bridge'): Promise<(target: string) => string> {
    heard = '';
    agent = await startAgent({
      config: {
        bind_addr: '0.0.0.0',
        api: { allow_remote_without_acl: true },
        client: { enabled: true, ...(policy === null ? {} : { egress_policy: policy }) },
      },
    });
    try {
      await nodeReady(agent);
      await agent.client.jobs.register(job('neighbour', 'bridge', { t: { script: greet(80, 'neighbour') } }));
      const [row] = await allocationsOf(agent, 'neighbour', 'running');
      const neighbour = await eventually(async () => {
        const { value } = await agent.client.allocations.read(row!.ID);
        if (!value.NetworkStatus?.Address) throw new Error('no address yet');
        return value.NetworkStatus.Address;
      });
      const agentTargets = ['172.26.64.1', hostAddress].map((address) => `${address} ${agent.port}`);
      const targets = [
        `${metadataAddress} 80`,
        ...agentTargets,
        `${neighbour} 80`,
        '127.0.0.1 5555',
        `${hostAddress} 5556`,
        '10.20.30.40 80',
      ];
      // an API server answers whoever asks something
      const script = attempt(targets).replace('my $line', 'print $s "GET / HTTP/1.0\\r\\n\\r\\n"; my $line');
      await agent.client.jobs.register(
        job('attacker', mode, { t: { script: `${script} ${toEveryone} print "done\\n"; ${wait}` } }),
      );
      const [attacker] = await allocationsOf(agent, 'attacker', 'running');
      const text = await eventually(async () => {
        const { stdout } = await runCli(agent, ['alloc', 'logs', attacker!.ID]);
        expect(stdout).toContain('done');
        return stdout;
      }, 40_000);
      const names: Record<string, string> = {
        agent: agentTargets[0]!,
        agentByHost: agentTargets[1]!,
        neighbour: `${neighbour} 80`,
      };
      return (target) =>
        text.split('\n').find((line) => line.startsWith(`${(names[target] ?? target).replace(' ', ':')} `)) ?? text;
    } finally {
      await agent.dispose();
    }
  }

  it('keeps tasks from metadata, agent, loopback and other allocations, and from nothing else', async () => {
    const seen = await seenUnder(null);
    for (const target of [`${metadataAddress} 80`, 'agent', 'agentByHost', 'neighbour', '127.0.0.1 5555'])
      expect(seen(target)).toMatch(/ refused: /);
    expect(seen(`${hostAddress} 5556`)).toContain('host');
  });

  it('is what kept them: switched off, the same connections get through (control)', async () => {
    const seen = await seenUnder({ deny: [] });
    expect(seen(`${metadataAddress} 80`)).toContain('metadata');
    expect(seen('agent')).toContain('HTTP/1.1 ');
    expect(seen('agentByHost')).toContain('HTTP/1.1 ');
    expect(seen('neighbour')).toContain('neighbour sees');
    await eventually(() => expect(heard).toContain('broadcast'));
  });

  it("is about networks of their own: a task on the host's network reaches its loopback (control)", async () => {
    const seen = await seenUnder(null, 'host');
    expect(seen('127.0.0.1 5555')).toContain('loopback');
  });

  it('is data: what an operator denies is denied, what they allow is allowed', async () => {
    const seen = await seenUnder({ deny: ['metadata', 'host', '10.20.30.0/24'], allow: [`${metadataAddress}:80`] });
    expect(seen(`${metadataAddress} 80`)).toContain('metadata');
    expect(seen(`${hostAddress} 5556`)).toMatch(/ refused: No route to host/);
    expect(seen('10.20.30.40 80')).toMatch(/ refused: No route to host/);
    expect(heard).toBe('');
    expect(seen('agent')).toMatch(/ refused: /);
    expect(seen('neighbour')).toContain('neighbour sees');
  });
});

describe.skipIf(!ownHost)('a node that cannot make networks', () => {
  it('says why, and a job that needs one waits with that reason', async () => {
    setUpHost();
    const nft = run('sh', '-c', 'command -v nft').trim();
    const agent = await startAgent({
      wrap: (command) => [
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount --bind /dev/null ${nft}; exec "$@"`,
        'sh',
        ...command,
      ],
    });
    try {
      await nodeReady(agent);
      await agent.client.jobs.register(job('waits', 'bridge', { t: { script: wait } }));
      await eventually(async () => {
        const { value } = await agent.client.jobs.evaluations('waits');
        const failed = value.flatMap((each) => Object.values(each.FailedTGAllocs ?? {}));
        const reasons = Object.keys(failed[0]?.ConstraintFiltered ?? {});
        expect(reasons).toContain('missing network "bridge": nft is not installed: install nftables');
      });
    } finally {
      await agent.dispose();
    }
  });
});

describe.skipIf(!ownHost)('the example of a network', () => {
  it('runs, and shows both ways to the service', async () => {
    setUpHost();
    const agent = await startAgent();
    try {
      await nodeReady(agent);
      const file = join(import.meta.dirname, '../../examples/bridge.nomad.hcl');
      expect(await runCli(agent, ['job', 'run', file])).toMatchObject({ code: 0, stderr: '' });
      const [row] = await allocationsOf(agent, 'bridge', 'running');
      await eventually(async () => {
        const { stdout } = await runCli(agent, ['alloc', 'logs', row!.ID, 'ask']);
        expect(stdout).toMatch(/^served in 172\.26\.\d+\.\d+\npublished as 10\.9\.8\.7:\d+\n$/);
      });
    } finally {
      await agent.dispose();
    }
  });
});
