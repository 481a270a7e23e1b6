import { spawn } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { lackingForPodman, ScratchDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { podman } from './index.ts';
import { bytes } from './translate.ts';

const never = new AbortController().signal;
let host: ScratchHost;
let daemon: ScratchDaemon;
let driver: OpenDriver;
let engine: EngineDriver;

const open = (config: Record<string, unknown> = {}): OpenDriver =>
  openDriver(podman, { socket_path: daemon.endpoint, ...config }, host.deps);

beforeAll(async () => {
  if (lackingForPodman.length > 0) return;
  host = await openScratchHost({ isolation: true });
  daemon = await ScratchDaemon.open({ engine: 'podman' });
  driver = open();
  engine = driver.engine;
}, 120_000);
afterAll(async () => {
  await engine?.close();
  await daemon?.close();
  await host?.close();
}, 60_000);

// the engine's own default limits may be more than this host gives
const task = (config: Record<string, unknown>, more?: Partial<TaskConfig>): Promise<TaskConfig> =>
  host.task(
    driver,
    {
      image: `localhost/${scratchImage}`,
      network_mode: 'none',
      ulimit: [{ nofile: '1024:1024', nproc: '1024:1024' }],
      ...config,
    },
    more,
  );
const shell = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  command: '/bin/sh',
  args: ['-c', script],
  ...more,
});
const output = (of: TaskConfig): Promise<string> =>
  readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8').catch(() => '');

const suite = (way: Way): DriverSuite => {
  const trapped = (rest: string): Promise<TaskConfig> => task(shell(`trap 'exit 0' INT TERM; ${rest}`));
  return {
    open: opening(way, podman, () => ({ options: { socket_path: daemon.endpoint }, deps: host.deps })),
    ends: (code) => task(shell(`exit ${code}`)),
    runsFor: (ms) => trapped(`sleep ${ms / 1000} & wait`),
    stubborn: () => task(shell('trap "" INT; while :; do sleep 0.1; done')),
    cannotStart: () => task({ command: '/no/such/binary' }),
    says: async (text) => {
      const of = await task(shell(`echo ${text}`));
      return { task: of, read: () => output(of) };
    },
    execs: async () => ({ task: await trapped('sleep 60 & wait'), command: ['sh', '-c', 'echo out; exit 4'] }),
    excused: {},
  };
};

describe.skipIf(lackingForPodman.length > 0).each(ways)(
  'podman on a real service, %s, does what every driver does:',
  { timeout: 90_000 },
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);

async function run(of: TaskConfig, by = engine) {
  const { isolation } = await by.start(of, never);
  const exit = await by.wait(of.id, never);
  const stdout = await output(of);
  await by.destroy(of.id, { force: false }, never);
  return { exit, stdout: stdout.trim(), isolation: isolation! };
}

describe.skipIf(lackingForPodman.length > 0)('podman', { timeout: 90_000 }, () => {
  test('says what it is', async () => {
    for await (const report of engine.fingerprint(never)) {
      // on a busy host the service needs its time for the first one
      if (report.health === 'undetected') continue;
      expect(report).toMatchObject({
        health: 'healthy',
        attributes: { 'driver.podman': '1', 'driver.podman.rootless': 'false' },
      });
      expect(report.attributes['driver.podman.version']).toMatch(/^\d+\./);
      break;
    }
  });

  test('translated options have their effect inside', async () => {
    const config = {
      ...{
        entrypoint: '/bin/sh',
        command: '',
        args: [
          '-c',
          'pwd; hostname; mount | grep -c "on /scratch type tmpfs"; ulimit -n; grep NoNewPrivs /proc/self/status',
        ],
      },
      ...{ working_dir: '/tmp', hostname: 'box', tmpfs: ['/scratch'] },
    };
    const { stdout } = await run(await task(config));
    expect(stdout).toBe('/tmp\nbox\n1\n1024\nNoNewPrivs:\t1');
  });

  test('memory_reservation, shm_size and a read-only root', async () => {
    const script = 'touch /x || echo refused; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; sleep 1';
    const of = await task(shell(script, { memory_reservation: '32m', shm_size: '8m', readonly_rootfs: true }));
    const { state } = await engine.start(of, never);
    const path = `/containers/${String(state['containerId'])}/json`;
    const answer = (await daemon.client.json('GET', path, { signal: never })) as { readonly HostConfig: unknown };
    expect(answer.HostConfig).toMatchObject({ Memory: 64 << 20, MemoryReservation: 32 << 20 });
    await engine.wait(of.id, never);
    expect(await output(of)).toBe('refused\n8192\n');
    await engine.destroy(of.id, { force: false }, never);
  });

  test('privileges are gated, and a kill signal is heeded', async () => {
    await expect(engine.start(await task(shell('true', { privileged: true })), never)).rejects.toThrow(
      'allow_privileged',
    );
    await expect(engine.start(await task(shell('true', { userns: 'host' })), never)).rejects.toThrow('userns_mode');
    const of = await task(shell('trap "exit 7" HUP; sleep 60 & wait'));
    await engine.start(of, never);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await engine.stop(of.id, { timeoutMs: 5_000, killSignal: 'SIGHUP' }, never);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 7 });
    await engine.destroy(of.id, { force: false }, never);
  });

  test('a task joins the network of its group', async () => {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    try {
      const network = { mode: 'group', path: `/proc/${holder.pid}/ns/net`, labels: {} } as const;
      const { stdout } = await run(await task(shell('readlink /proc/self/ns/net', { network_mode: '' }), { network }));
      expect(stdout).toBe(await readlink(network.path));
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test('a container of nobody runs at the rung that was seen', async () => {
    const { isolation } = await run(await task(shell('sleep 1'), { user: 'nobody' }));
    expect(isolation.runtime).toMatch(/^podman /);
    expect(['process', 'sandbox']).toContain(isolation.rung);
  });
});

test('sizes are understood with and without a unit', () => {
  expect(bytes('64m', 'x')).toBe(64 << 20);
  expect(bytes('1024', 'x')).toBe(1024);
  expect(() => bytes('much', 'memory_reservation')).toThrow('memory_reservation: "much"');
});
