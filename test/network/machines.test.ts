/** Machines of `microvm` on networks of their groups: packets to and from a guest, under an agent of root and one without. */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import { addForgery, addUdpEcho, busyboxRoot } from '../../src/drivers/microvm/scratch-root.ts';
import { type AgentProcess, eventually, freePort, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';
import { groupsOf, variablesOf } from './groups.ts';
import {
  ask,
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

const programs = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs', '/bin/busybox'];
const here = ownHost && programs.every((path) => existsSync(path)) && (await findKernel('')) !== null;
const rootless = spawnSync('slirp4netns', ['--version']).status === 0 && existsSync('/dev/net/tun');
/** `gateway`: of networks of groups, from inside. */
const agents = [
  { who: 'root', options: {}, gateway: '172.26.64.1', here },
  { who: 'an ordinary user', options: { user: 61_234 }, gateway: '172.26.64.2', here: here && rootless },
] as const;

const images = mkdtempSync(join(tmpdir(), 'drover-machines-'));
beforeAll(() => {
  if (!here) return;
  setUpHost();
  busyboxRoot(images);
  addUdpEcho(images);
  addForgery(images);
  mkdirSync(join(images, 'www'));
  writeFileSync(join(images, 'www/index.html'), 'served by a machine\n');
});
afterAll(() => rmSync(images, { recursive: true, force: true }));

const startNode = async (options: { readonly user?: number }, client: object = {}): Promise<AgentProcess> => {
  const plugin = Object.fromEntries(['microvm', 'qemu'].map((name) => [name, { config: { image_paths: [images] } }]));
  const agent = await startAgent({
    ...options,
    config: {
      plugin,
      client: { enabled: true, ...client },
      bind_addr: '0.0.0.0',
      api: { allow_remote_without_acl: true },
    },
  });
  await eventually(async () => {
    const { Drivers } = await nodeReady(agent);
    expect(Drivers?.['microvm']).toMatchObject({ Healthy: true });
  }, 90_000);
  return agent;
};

const machine = (script: string, config: Record<string, unknown> = {}) => ({
  driver: 'microvm',
  memoryMb: 128,
  config: { rootfs: images, accelerator: 'tcg', command: '/bin/sh', args: ['-c', script], ...config },
});
/** Prints `address:port <first line of an answer>`, or what keeps it from one: `nc: …`. A server of HTTP answers nobody who has hung up. */
const probe = (targets: readonly string[]): string =>
  `for t in ${targets.join(' ')}; do a=\${t%:*} p=\${t#*:}; echo $t $({ printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 2; } | timeout 30 nc -w 10 $a $p 2>&1 | head -n 1); done`;
const serves = 'httpd -p $NOMAD_PORT_web -h /www; exec sleep 1000';

const page = async (host: string, port: number): Promise<string> =>
  fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(3000) }).then(
    (response) => response.text(),
    (error: Error) => (error.cause as { code?: string } | undefined)?.code ?? error.message,
  );
const served = (host: string, port: number) =>
  eventually(async () => expect(await page(host, port)).toBe('served by a machine\n'), 60_000);

/** A name server that knows one name for every address asked for. */
async function nameServer(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    // type A after the name: one address; else none
    const isA = query.readUInt16BE(query.indexOf(0, 12) + 1) === 1;
    const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 11, 12, 13];
    const reply = Buffer.concat([query, Buffer.from(isA ? answer : [])]);
    reply.writeUInt16BE(0x8580, 2);
    reply.writeUInt16BE(isA ? 1 : 0, 6);
    socket.send(reply, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(53, hostAddress, resolve));
  return socket;
}

/** What is answered to a datagram. */
async function datagram(host: string, port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('message', (message) => resolve(message.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      setTimeout(() => resolve('no answer'), 2000);
      socket.connect(port, host, () => socket.send(text));
    });
  } finally {
    socket.close();
  }
}

describe.each(agents)('under an agent of $who, a machine on a network of its group', (given) => {
  describe.skipIf(!given.here)('', () => {
    let agent: AgentProcess;
    const servers: { close(): unknown }[] = [];
    const { logs, start, stop } = groupsOf(() => agent);
    const inGuest = async (allocId: string, script: string): Promise<string> => {
      const { stdout, stderr } = await runCli(agent, ['alloc', 'exec', '-task', 't', allocId, 'sh', '-c', script]);
      return stdout + stderr;
    };
    const isUp = (allocId: string) =>
      eventually(async () => expect(await inGuest(allocId, 'echo up')).toBe('up\n'), 60_000);

    beforeAll(async () => {
      servers.push(await greeter(metadataAddress, 80, 'metadata'), await greeter('127.0.0.1', 5555, 'loopback'));
      servers.push(await greeter(hostAddress, 5556, 'host'), await nameServer());
      agent = await startNode(given.options);
    });
    afterAll(async () => {
      await agent?.dispose();
      for (const server of servers) server.close();
    });

    it('is reached by static and dynamic ports and by where they lead, TCP and UDP, and is told what tasks are told', async () => {
      const fixed = await freePort();
      const ports = [
        { Label: 'fixed', Value: fixed },
        { Label: 'web', To: 80 },
        { Label: 'echo', To: 53 },
        { Label: 'same' },
      ];
      const script = `udp-echo 53 & httpd -p $NOMAD_PORT_fixed -h /www; httpd -p $NOMAD_PORT_same -h /www; ${serves}`;
      const alloc = await start('ports', 'bridge', { t: machine(script) }, ports);
      for (const host of ['127.0.0.1', hostAddress])
        for (const label of ['fixed', 'web', 'same']) await served(host, alloc.port(label));
      expect(alloc.port('fixed')).toBe(fixed);
      await eventually(async () =>
        expect(await datagram(hostAddress, alloc.port('echo'), 'this')).toBe('udp sees this'),
      );
      const told = (await inGuest(alloc.id, 'env')).split('\n').filter((line) => /_web=/.test(line));
      expect(told.sort()).toEqual(variablesOf('web', alloc, hostAddress, 80));
      // by the addresses it is told it reaches itself
      for (const name of ['NOMAD_ALLOC_ADDR_web', 'NOMAD_ADDR_web'])
        expect(await inGuest(alloc.id, `wget -q -O - http://$${name}/`)).toBe('served by a machine\n');
      await stop('ports');
      await eventually(async () => expect(await ask('127.0.0.1', fixed)).toBe('ECONNREFUSED'));
    });

    it('has the name and the name servers that the job says, and reaches nothing that is denied', {
      timeout: 240_000,
    }, async () => {
      const neighbour = await start('neighbour', 'bridge', { t: { script: greet(80, 'neighbour') } }, [
        { Label: 'web', To: 80 },
      ]);
      const more = {
        Hostname: 'caller',
        DNS: { Servers: [hostAddress], Searches: ['a.example'], Options: ['ndots:2'] },
      };
      const { id } = await start('caller', 'bridge', { t: machine('exec sleep 1000') }, [], more);
      await isUp(id);
      expect(await inGuest(id, 'hostname; cat /etc/resolv.conf')).toBe(
        `caller\nnameserver ${hostAddress}\nsearch a.example\noptions ndots:2\n`,
      );
      expect(await inGuest(id, 'grep caller /etc/hosts')).toBe('10.0.2.15 caller\n');
      expect(await inGuest(id, 'nslookup what.ever.example')).toContain('10.11.12.13');

      const open = [`${hostAddress}:5556`, `${hostAddress}:${neighbour.port('web')}`];
      const closed = deniedTo(agent, given.gateway, neighbour.address);
      const seen = await inGuest(id, probe([...open, ...closed]));
      const of = (target: string): string => seen.split('\n').find((line) => line.startsWith(`${target} `)) ?? seen;
      expect(of(open[0]!)).toBe(`${open[0]} host`);
      expect(of(open[1]!)).toContain('neighbour sees');
      for (const target of closed) expect(of(target)).toMatch(/ nc: /);
      await stop('caller');
      await stop('neighbour');
    });

    it('shares a guest port with another allocation; both are kept when the agent is killed, and let go of at a stop', async () => {
      const ports = [{ Label: 'web', To: 80 }];
      const [one, two] = [
        await start('one', 'bridge', { t: machine(serves) }, ports),
        await start('two', 'bridge', { t: machine(`echo two > /www/index.html; ${serves}`) }, ports),
      ];
      await served(hostAddress, one.port('web'));
      await eventually(async () => expect(await page(hostAddress, two.port('web'))).toBe('two\n'), 60_000);
      await agent.crash();
      expect(await page(hostAddress, one.port('web'))).toBe('served by a machine\n');
      agent = await agent.restart();
      await nodeReady(agent);
      const [row] = await allocationsOf(agent, 'two', 'running');
      expect(row!.ID).toBe(two.id);
      await eventually(async () => expect(await page('127.0.0.1', two.port('web'))).toBe('two\n'));
      await isUp(two.id);
      for (const job of ['one', 'two']) await stop(job);
      for (const { port } of [one, two])
        await eventually(async () => expect(await ask('127.0.0.1', port('web'))).toBe('ECONNREFUSED'));
    });

    it('meets the other tasks of its group on their loopback, each with ports of its own', async () => {
      const own = { script: greet('$ENV{NOMAD_PORT_own}', 'own') };
      const alloc = await start('mixed', 'bridge', { t: machine(serves, { ports: ['web'] }), own }, [
        { Label: 'web', To: 80 },
        { Label: 'own', To: 81 },
      ]);
      await served(hostAddress, alloc.port('web'));
      await logs(alloc.id, 'own', 'listening');
      expect(await inGuest(alloc.id, probe(['10.0.2.2:81']))).toBe('10.0.2.2:81 own sees 127.0.0.1\n');
      expect(await ask(hostAddress, alloc.port('own'))).toContain('own sees');
      const { stdout } = await runCli(agent, [
        ...['alloc', 'exec', '-task', 'own', alloc.id, '/usr/bin/perl', '-MIO::Socket::INET', '-e'],
        `my $s = IO::Socket::INET->new("127.0.0.1:80"); print $s "GET / HTTP/1.0\r\n\r\n"; print <$s>`,
      ]);
      expect(stdout).toContain('served by a machine');
      await stop('mixed');
    });

    it.skipIf(given.who !== 'root')(
      'chosen by "auto", is root of itself and nobody else: it speaks with no address of another',
      async () => {
        const listener = { script: hears(53) };
        const ports = [{ Label: 'ear', To: 53 }];
        const [neighbour, other] = [
          await start('neighbour', 'bridge', { t: listener }, ports),
          await start('other', 'bridge', { t: listener }),
        ];
        const told = { driver: 'auto', memoryMb: 128, user: '0' };
        const config = { rootfs: images, among: ['microvm'], command: '/bin/sh', args: ['-c', serves] };
        const alloc = await start('hostile', 'bridge', { t: { ...told, config } }, [{ Label: 'web', To: 80 }]);
        await served(hostAddress, alloc.port('web'));
        const { value } = await agent.client.allocations.read(alloc.id);
        expect(value.TaskStates?.['t']?.DriverChoice).toMatchObject({ Driver: 'microvm' });

        const forge = join(images, 'bin/forge');
        const heard = (text: string) => logs(neighbour.id, 't', text);
        // where nothing protects both take effect
        run(forge, 'from', other.address, neighbour.address, '53', 'forged by the host');
        await heard(`forged by the host from ${other.address}\n`);
        expect(await poisoned(forge)).toBe(true);

        const ear = `${hostAddress} ${neighbour.port('ear')}`;
        const mac = (await inGuest(alloc.id, 'cat /sys/class/net/eth0/address')).trim();
        expect(mac).toMatch(/^[0-9a-f:]{17}$/);
        const tries = [
          `forge from ${other.address} ${ear} as-another`,
          `forge from ${hostAddress} ${ear} as-the-host`,
          `forge from ${other.address} ${neighbour.address} 53 past-the-port`,
          `forge say ${neighbour.address} 53 unpublished`,
          ...[given.gateway, neighbour.address, other.address].map((address) => `forge arp eth0 ${address}`),
          `ip addr add ${other.address}/32 dev eth0; ip addr add ${neighbour.address}/32 dev eth0`,
          `forge say ${ear} honest`,
        ];
        const said = await inGuest(alloc.id, tries.join('; '));
        expect(said.match(/sent/g)).toHaveLength(8);
        const text = await heard('honest');
        const [, ...sources] = [...text.matchAll(/^(\S+|forged by the host) from (\S+)$/gm)].map((row) => row[2]);
        expect(new Set(sources)).toEqual(new Set([alloc.address]));
        expect(text).not.toMatch(/past-the-port|unpublished/);
        expect(
          run('ip', 'neigh') + inside(neighbour.id, 'ip', 'neigh') + inside(other.id, 'ip', 'neigh'),
        ).not.toContain(mac);
        for (const job of ['hostile', 'neighbour', 'other']) await stop(job);
      },
    );

    it('leaves nothing behind', async () => {
      await agent.client.agent.collectGarbage();
      await eventually(() => expect(leftovers()).toEqual([]));
    });

    it('is kept from the rest by the policy: switched off, the same calls get through (control)', {
      timeout: 240_000,
    }, async () => {
      const before = agent;
      agent = await startNode(given.options, { egress_policy: { deny: [] } });
      try {
        const neighbour = await start('neighbour', 'bridge', { t: { script: greet(80, 'neighbour') } });
        const { id } = await start('caller', 'bridge', { t: machine('exec sleep 1000') });
        await isUp(id);
        const closed = deniedTo(agent, given.gateway, neighbour.address);
        const seen = await inGuest(id, probe(closed));
        expect(seen).toContain(`${metadataAddress}:80 metadata\n`);
        for (const address of [hostAddress, given.gateway])
          expect(seen).toContain(`${address}:${agent.port} HTTP/1.1 `);
        expect(seen).toContain(
          given.who === 'root' ? `${neighbour.address}:80 neighbour sees` : `${given.gateway}:5555 loopback`,
        );
      } finally {
        await agent.dispose();
        agent = before;
      }
    });
  });
});

/** Prints each datagram and the address it says it is from. */
const hears = (port: number): string =>
  `use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => ${port}, Proto => "udp") or die $!; while ($s->recv(my $text, 512)) { print "$text from ", $s->peerhost, "\\n" }`;

/** Whether the program turns somebody's address to itself where it shares a wire: between two networks made for it. */
async function poisoned(forge: string): Promise<boolean> {
  const [here, there] = ['wire0', 'wire1'];
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(holder.stdout, 'data');
    const over = (...command: string[]) => run('nsenter', '-t', String(holder.pid), '-n', ...command);
    run('ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', String(holder.pid));
    run('ip', 'addr', 'add', '10.77.0.1/24', 'dev', here);
    run('ip', 'link', 'set', here, 'up');
    over('ip', 'link', 'set', there, 'up');
    const mac = /link\/ether (\S+)/.exec(over('ip', '-o', 'link', 'show', there))?.[1] ?? 'none';
    run('ip', 'neigh', 'replace', '10.77.0.9', 'lladdr', '02:00:00:00:00:09', 'dev', here, 'nud', 'stale');
    return await eventually(
      () => {
        // an entry that has just changed stays for a moment
        over(forge, 'arp', there, '10.77.0.9');
        if (!run('ip', 'neigh', 'show', '10.77.0.9').includes(mac)) throw new Error('the address is where it was');
        return true;
      },
      20_000,
      300,
    );
  } finally {
    holder.kill('SIGKILL');
  }
}

/** Not the host's loopback by any name: that of its own group is what 10.0.2.2 stands for. */
function deniedTo(agent: AgentProcess, gateway: string, neighbour: string): readonly string[] {
  const own = [`${hostAddress}:${agent.port}`, `${gateway}:${agent.port}`, `${gateway}:5555`];
  return [`${metadataAddress}:80`, ...own, `${neighbour}:80`, '10.0.2.2:5555', `10.0.2.2:${agent.port}`];
}

describe.skipIf(!here)('under an agent of root', () => {
  let agent: AgentProcess;
  const { start, stop } = groupsOf(() => agent);
  beforeAll(async () => {
    agent = await startNode({});
  });
  afterAll(() => agent?.dispose());

  it('a machine of qemu listens where the ports of its group lead to', async () => {
    const disk = Buffer.alloc(1 << 20);
    // it does nothing, for ever
    disk.set([0xfb, 0xf4, 0xeb, 0xfd]);
    disk.set([0x55, 0xaa], 510);
    writeFileSync(join(images, 'idle.img'), disk, { mode: 0o644 });
    const config = { image_path: join(images, 'idle.img'), port_map: [{ web: 8080 }] };
    const alloc = await start('disk', 'bridge', { t: { driver: 'qemu', memoryMb: 128, config } }, [
      { Label: 'web', To: 80 },
    ]);
    await eventually(async () => expect(inside(alloc.id, 'ss', '-Hltn')).toMatch(/ 0\.0\.0\.0:80 /));
    await stop('disk');
  });

  it('the example of a service in a machine runs, and is reached', async () => {
    const file = join(import.meta.dirname, '../../examples/microvm-service.nomad.hcl');
    const ran = await runCli(agent, ['job', 'run', '-var', `rootfs=${images}`, file]);
    expect(ran, ran.stdout).toMatchObject({ code: 0, stderr: '' });
    const [row] = await allocationsOf(agent, 'microvm-service', 'running');
    await eventually(async () => {
      const { stdout } = await runCli(agent, ['alloc', 'logs', row!.ID, 'serve']);
      const [, address, port] = /^published as ([\d.]+):(\d+)\n$/.exec(stdout) ?? [];
      expect(await page(address ?? '', Number(port))).toBe('served by greeter\n');
    }, 60_000);
  });
});
