import { spawn } from 'node:child_process';
import { readlink } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { containerSuite, outputOf, ScratchDocker, shell } from '../docker/scratch-docker.ts';
import { podman } from './index.ts';
import { bytes } from './translate.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;
let engine: EngineDriver;

beforeAll(async () => {
  if (lackingForPodman.length > 0) return;
  scratch = await ScratchDocker.open({ engine: 'podman' });
  engine = scratch.driver().engine;
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const suite = (way: Way): DriverSuite =>
  containerSuite(
    opening(way, podman, () => ({ options: { socket_path: scratch.daemon.endpoint }, deps: scratch.host.deps })),
    (config) => scratch.task(config),
  );

describe.skipIf(lackingForPodman.length > 0).each(ways)(
  'podman on a real service, %s, does what every driver does:',
  { timeout: 90_000 },
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);

async function run(of: TaskConfig) {
  const { stdout, isolation } = await scratch.run(engine, of);
  return { stdout: stdout.trim(), isolation };
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
    const { stdout } = await run(await scratch.task(config));
    expect(stdout).toBe('/tmp\nbox\n1\n1024\nNoNewPrivs:\t1');
  });

  test('memory_reservation, shm_size and a read-only root', async () => {
    const script = 'touch /x || echo refused; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; sleep 1';
    const of = await scratch.task(shell(script, { memory_reservation: '32m', shm_size: '8m', readonly_rootfs: true }));
    const { state } = await engine.start(of, never);
    const path = `/containers/${String(state['containerId'])}/json`;
    const answer = (await scratch.daemon.client.json('GET', path, { signal: never })) as {
      readonly HostConfig: unknown;
    };
    expect(answer.HostConfig).toMatchObject({ Memory: 64 << 20, MemoryReservation: 32 << 20 });
    await engine.wait(of.id, never);
    expect(await outputOf(of)).toBe('refused\n8192\n');
    await engine.destroy(of.id, { force: false }, never);
  });

  test('privileges are gated, and a kill signal is heeded', async () => {
    await expect(engine.start(await scratch.task(shell('true', { privileged: true })), never)).rejects.toThrow(
      'allow_privileged',
    );
    await expect(engine.start(await scratch.task(shell('true', { userns: 'host' })), never)).rejects.toThrow(
      'userns_mode',
    );
    const of = await scratch.task(shell('trap "exit 7" HUP; sleep 60 & wait'));
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
      const { stdout } = await run(
        await scratch.task(shell('readlink /proc/self/ns/net', { network_mode: '' }), { network }),
      );
      expect(stdout).toBe(await readlink(network.path));
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test('a container of nobody runs at the rung that was seen', async () => {
    const { isolation } = await run(await scratch.task(shell('sleep 1'), { user: 'nobody' }));
    expect(isolation.runtime).toMatch(/^podman /);
    expect(['process', 'sandbox']).toContain(isolation.rung);
  });
});

test('sizes are understood with and without a unit', () => {
  expect(bytes('64m', 'x')).toBe(64 << 20);
  expect(bytes('1024', 'x')).toBe(1024);
  expect(() => bytes('much', 'memory_reservation')).toThrow('memory_reservation: "much"');
});
