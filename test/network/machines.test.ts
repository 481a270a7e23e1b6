/** Machines of `microvm` on networks of their groups: packets to and from a guest, under an agent of root and one without. */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import { addUdpEcho, busyboxRoot } from '../../src/drivers/microvm/scratch-root.ts';
import { type AgentProcess, eventually, freePort, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';
import { groupsOf } from './groups.ts';
import {
  ask,
  attempt,
  greet,
  greeter,
  hostAddress,
  leftovers,
  metadataAddress,
  ownHost,
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
  mkdirSync(join(images, 'www'));
  writeFileSync(join(images, 'www/index.html'), 'served by a machine\n');
});
afterAll(() => rmSync(images, { recursive: true, force: true }));

const startNode = async (options: { readonly user?: number }, client: object = {}): Promise<AgentProcess> => {
  const plugin = { microvm: { config: { image_paths: [images] } } };
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
const serves = 'httpd -p $NOMAD_PORT_web -h /www; exec sleep 1000';

const page = async (host: string, port: number): Promise<string> =>
  fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(3000) }).then(
    (response) => response.text(),
    (error: Error) => (error.cause as { code?: string } | undefined)?.code ?? error.message,
  );
const served = (host: string, port: number) =>
  eventually(async () => expect(await page(host, port)).toBe('served by a machine\n'), 60_000);

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
    const { logs, start, stop } = groupsOf(() => agent);
    const inGuest = async (allocId: string, ...command: readonly string[]): Promise<string> =>
      (await runCli(agent, ['alloc', 'exec', '-task', 't', allocId, ...command])).stdout;

    beforeAll(async () => {
      agent = await startNode(given.options);
    });
    afterAll(() => agent?.dispose());

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
      const web = alloc.port('web');
      expect(told.sort()).toEqual([
        `NOMAD_ADDR_web=${hostAddress}:${web}`,
        `NOMAD_ALLOC_ADDR_web=${alloc.address}:80`,
        'NOMAD_ALLOC_INTERFACE_web=eth0',
        `NOMAD_ALLOC_IP_web=${alloc.address}`,
        'NOMAD_ALLOC_PORT_web=80',
        `NOMAD_HOST_ADDR_web=${hostAddress}:${web}`,
        `NOMAD_HOST_IP_web=${hostAddress}`,
        `NOMAD_HOST_PORT_web=${web}`,
        `NOMAD_IP_web=${hostAddress}`,
        'NOMAD_PORT_web=80',
      ]);
      // by the names it is told it reaches itself, from its group's side and from the host's
      for (const name of ['NOMAD_ALLOC_ADDR_web', 'NOMAD_ADDR_web'])
        expect(await inGuest(alloc.id, 'sh', '-c', `wget -q -O - http://$${name}/`)).toBe('served by a machine\n');
      await stop('ports');
      await eventually(async () => expect(await ask('127.0.0.1', fixed)).toBe('ECONNREFUSED'));
    });
  });
});
