import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lackingForPodman, ScratchDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { rkt } from './index.ts';

const never = new AbortController().signal;
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});
afterAll(() => host.close());

async function firstReport(driver: OpenDriver) {
  const stop = new AbortController();
  for await (const report of driver.engine.fingerprint(stop.signal)) {
    stop.abort();
    return report;
  }
  throw new Error('no report');
}

test('rkt is not there, and says what to write in its place', async () => {
  const driver = openDriver(rkt, {}, host.deps);
  expect(await firstReport(driver)).toMatchObject({
    health: 'undetected',
    description: expect.stringMatching(/podman/),
  });
  const task = await host.task(driver, { image: 'docker://redis:3.2', net: ['host'] });
  await expect(driver.engine.start(task, never)).rejects.toMatchObject({
    kind: 'unsupported',
    message: expect.stringMatching(
      /driver = "podman"\nconfig \{\n {2}image = "redis:3.2"\n {2}network_mode = "host"\n\}/,
    ),
  });
  await driver.engine.close();
});

describe.skipIf(lackingForPodman.length > 0)('with translate = true rkt is podman by another name:', () => {
  let daemon: ScratchDaemon;
  let driver: OpenDriver;

  beforeAll(async () => {
    daemon = await ScratchDaemon.open({ engine: 'podman' });
    driver = openDriver(rkt, { translate: true, socket_path: daemon.endpoint, volumes_enabled: true }, host.deps);
  }, 120_000);
  afterAll(async () => {
    await driver?.engine.close();
    await daemon?.close();
  }, 60_000);

  const options = (command: string, args: readonly string[], more: object = {}) => ({
    image: `docker://localhost/${scratchImage}`,
    ...{ command, args, net: ['none'], ...more },
  });

  test('a job of rkt runs as a container, volumes and all', async () => {
    // on a busy host the service needs its time for the first one
    for await (const report of driver.engine.fingerprint(never)) {
      if (report.health !== 'healthy') continue;
      expect(report).toMatchObject({ description: 'Healthy', attributes: { 'driver.rkt': '1' } });
      break;
    }
    expect(driver.engine.info.name).toBe('rkt');
    const script = 'cat /given/package.json | head -n 2; ip -o link | wc -l; exit 3';
    const volumes = [`${join(import.meta.dirname, '../../..')}:/given:ro`];
    const task = await host.task(
      driver,
      options('/bin/sh', ['-c', script], {
        volumes,
        insecure_options: ['image'],
        trust_prefix: 'x',
        no_overlay: true,
        debug: true,
      }),
    );
    await driver.engine.start(task, never);
    expect(await driver.engine.wait(task.id, never)).toMatchObject({ exitCode: 3 });
    const output = await readFile(join(task.directories.logs, `${task.name}.stdout.0`), 'utf8');
    expect(output).toBe('{\n  "name": "drover",\n1\n');
    await driver.engine.destroy(task.id, { force: false }, never);
  });

  test('its name servers and domains are those of the container', async () => {
    const named = { net: ['host'], dns_servers: ['10.9.9.9'], dns_search_domains: ['example.test'] };
    const task = await host.task(driver, options('/bin/cat', ['/etc/resolv.conf'], named));
    await driver.engine.start(task, never);
    await driver.engine.wait(task.id, never);
    const output = await readFile(join(task.directories.logs, `${task.name}.stdout.0`), 'utf8');
    expect(output).toMatch(/^search example\.test$/m);
    expect(output).toMatch(/^nameserver 10\.9\.9\.9$/m);
    await driver.engine.destroy(task.id, { force: false }, never);
  });

  test('what does not map is refused with its name', async () => {
    const task = await host.task(driver, options('/bin/true', [], { group: '100', port_map: { web: 'www' } }));
    await expect(driver.engine.start(task, never)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/port_map web = "www".*; group has no counterpart/),
    });
  });
});
