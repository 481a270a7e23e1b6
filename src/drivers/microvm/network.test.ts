// Machines whose group keeps the host's network: ports lead in, and nothing leads out. Of networks of their own: test/network/machines.test.ts.
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { microvm } from './index.ts';
import { findKernel } from './kernels.ts';
import { addUdpEcho, busyboxRoot } from './scratch-root.ts';

const never = new AbortController().signal;
const programs = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs', '/bin/busybox'];
const here = programs.every((path) => existsSync(path)) && (await findKernel('')) !== null;

describe.skipIf(!here)('a machine whose group keeps the host’s network', { timeout: 180_000 }, () => {
  let host: ScratchHost;
  let driver: OpenDriver;
  let images: string;
  beforeAll(async () => {
    host = await openScratchHost({ isolation: true });
    images = join(host.scratch.root, 'images');
    busyboxRoot(images);
    addUdpEcho(images);
    driver = openDriver(microvm, { image_paths: [images] }, host.deps);
  }, 120_000);
  afterAll(async () => {
    await driver.engine.close();
    await host.close();
  });

  const start = async (script: string, ports: TaskConfig['resources']['ports']): Promise<TaskConfig> => {
    const resources = { cpuShares: 500, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.1, ports };
    const config = { rootfs: images, accelerator: 'tcg', command: 'sh', args: ['-c', script] };
    const of = await host.task(driver, config, { resources });
    await driver.engine.start(of, never);
    return of;
  };
  const inside = async (of: TaskConfig, script: string): Promise<string> => {
    const session = await driver.engine.exec!(of.id, { command: ['sh', '-c', script], tty: false }, never);
    let text = '';
    for await (const { data } of session.output) text += Buffer.from(data).toString();
    return text;
  };

  test('is reached by its ports, TCP and UDP, and reaches neither the host nor its loopback', async () => {
    const [web, echo] = [await freePort(), await freePort()];
    const of = await start('udp-echo 53 & httpd -p 80 -h /etc; exec sleep 100', [
      { label: 'web', value: web, to: 80, hostIp: '127.0.0.1' },
      { label: 'echo', value: echo, to: 53, hostIp: '127.0.0.1' },
    ]);
    await expect
      .poll(() => fetch(`http://127.0.0.1:${web}/hosts`).then((got) => got.status, () => 0), { timeout: 60_000 })
      .toBe(404);
    await expect.poll(() => datagram(echo, 'this'), { timeout: 10_000 }).toBe('udp sees this');
    await driver.engine.destroy(of.id, { force: true }, never);
  });
});

const freePort = (): Promise<number> => listening(createServer()).then(({ server, port }) => (server.close(), port));

function listening(server: Server): Promise<{ readonly server: Server; readonly port: number }> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve({ server, port: (server.address() as { port: number }).port })),
  );
}

async function datagram(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('message', (message) => resolve(message.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      setTimeout(() => resolve('no answer'), 2000);
      socket.connect(port, '127.0.0.1', () => socket.send(text));
    });
  } finally {
    socket.close();
  }
}
