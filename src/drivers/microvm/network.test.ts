// Machines whose group keeps the host's network: ports lead in, and nothing leads out. Of networks of their own: test/network/machines.test.ts.
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { microvm } from './index.ts';
import { findKernel } from './kernels.ts';
import { busyboxRoot } from './scratch-root.ts';

const never = new AbortController().signal;
const programs = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs', '/bin/busybox'];
const here = programs.every((path) => existsSync(path)) && (await findKernel('')) !== null;

/** On the host's loopback. */
const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
const freePort = async (): Promise<number> => {
  const server = createServer();
  const port = await listening(server);
  server.close();
  return port;
};

describe.skipIf(!here)('a machine whose group keeps the host’s network', { timeout: 180_000 }, () => {
  let host: ScratchHost;
  let driver: OpenDriver;
  let images: string;
  let onHost: number;
  const server = createServer((socket) => socket.on('error', () => {}).end('the host\n'));
  beforeAll(async () => {
    host = await openScratchHost({ isolation: true });
    images = join(host.scratch.root, 'images');
    busyboxRoot(images);
    driver = openDriver(microvm, { image_paths: [images] }, host.deps);
    onHost = await listening(server);
  }, 120_000);
  afterAll(async () => {
    server.close();
    await driver.engine.close();
    await host.close();
  });

  const start = async (
    script: string,
    given: Partial<TaskConfig>,
    ports: TaskConfig['resources']['ports'] = [],
  ): Promise<TaskConfig> => {
    const resources = { cpuShares: 500, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.1, ports };
    const config = { rootfs: images, accelerator: 'tcg', command: 'sh', args: ['-c', script] };
    const of = await host.task(driver, config, { resources, ...given });
    await driver.engine.start(of, never);
    return of;
  };
  const inside = async (of: TaskConfig, script: string): Promise<string> => {
    const session = await driver.engine.exec!(of.id, { command: ['sh', '-c', script], tty: false }, never);
    let text = '';
    for await (const { data } of session.output) text += Buffer.from(data).toString();
    return text;
  };
  const interfaces = "ls /sys/class/net | tr '\\n' ' '";
  const callsHost = (): string => `nc -w 4 10.0.2.2 ${onHost} 2>&1 </dev/null`;

  test('is reached by its ports, and reaches nothing: not the host’s loopback, not a name server', async () => {
    const web = await freePort();
    const port = { label: 'web', value: web, to: 80, hostIp: '127.0.0.1' };
    const of = await start(
      'echo in >/tmp/is; touch /alloc/a /local/l && httpd -p 80 -h /tmp; exec sleep 100',
      { user: '65534' },
      [port],
    );
    const page = (): Promise<string> =>
      fetch(`http://127.0.0.1:${web}/is`).then(
        (got) => got.text(),
        (error: Error) => String(error.cause),
      );
    await expect.poll(page, { timeout: 60_000 }).toBe('in\n');
    expect(await inside(of, interfaces)).toBe('eth0 lo ');
    expect(await inside(of, callsHost())).toMatch(/^nc: /);
    expect(await inside(of, 'nslookup localhost 10.0.2.3 2>&1')).toMatch(/no servers could be reached/);
    await driver.engine.destroy(of.id, { force: true }, never);
    expect(await page()).toContain('ECONNREFUSED');
  });

  test('would reach the host’s loopback if its card were that of a group’s own network there (control)', async () => {
    const network = {
      mode: 'group',
      path: '/proc/self/ns/net',
      labels: {},
      hosts: { hostname: '', address: '127.0.0.1' },
    } as const;
    const of = await start('exec sleep 100', { network });
    await expect.poll(() => inside(of, callsHost()), { timeout: 60_000 }).toBe('the host\n');
    await driver.engine.destroy(of.id, { force: true }, never);
  });

  test('has its loopback alone where the group has no ports', async () => {
    const of = await start('exec sleep 100', {});
    expect(await inside(of, interfaces)).toBe('lo ');
    await driver.engine.destroy(of.id, { force: true }, never);
  });
});
