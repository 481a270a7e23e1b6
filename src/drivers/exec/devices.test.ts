/** A task that is given a device has that one and no other, by an OCI runtime too. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TaskDevice } from '../../driver/contract.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const given = '/dev/fuse';
let host: ScratchHost;
let driver: OpenDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(exec, {}, host.deps);
});
afterAll(async () => {
  await driver.engine.close();
  await host.close();
});

const tryAll = 'for name in null fuse kmsg; do (: </dev/$name) 2>/dev/null && echo $name; done; true';

async function run(devices: readonly TaskDevice[]) {
  const of = await host.task(
    driver,
    { command: '/bin/sh', args: ['-c', tryAll] },
    { devices, network: { mode: 'task', path: '', labels: {} } },
  );
  const { isolation } = await driver.engine.start(of, never);
  await driver.engine.wait(of.id, never);
  const said = await readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');
  await driver.engine.destroy(of.id, { force: false }, never);
  return { said, isolation: isolation! };
}

it('a device that is given opens, no other does, and the report still has all denied but those', async ({ skip }) => {
  const runtime = ['crun', 'runc'].some((name) => host.deps.isolation.probes.get(`runtime.${name}`)?.ok === true);
  if (!runtime || !existsSync(given)) skip('needs root, an OCI runtime and /dev/fuse');
  const without = await run([]);
  expect(without.said).toBe('null\n');
  const device = { taskPath: given, hostPath: given, permissions: 'rw' };
  const { said, isolation } = await run([device]);
  expect(said).toBe('null\nfuse\n');
  expect(isolation.runtime).toMatch(/runc|crun/);
  expect(isolation.mechanisms.find(({ name }) => name === 'devices')).toMatchObject({ state: 'verified' });
});
