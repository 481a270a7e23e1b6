// A daemon that gives its containers user namespaces (`--userns-remap=default`).
import { spawn } from 'node:child_process';
import { readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases } from '../../driver-kit/conformance.ts';
import { lackingForDaemon, remappedFirst } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { opening } from '../../driver-kit/served-driver.ts';
import { docker } from './index.ts';
import { containerSuite, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;
let engine: EngineDriver;

beforeAll(async () => {
  if (lackingForDaemon.length > 0) return;
  scratch = await ScratchDocker.open({ remapped: true });
  engine = scratch.driver({ allow_privileged: true, volumes: [{ enabled: true }] }).engine;
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const ran = async (config: Record<string, unknown>, more: Partial<TaskConfig> = {}) =>
  scratch.run(engine, await scratch.task(config, more));
const refusal = async (config: Record<string, unknown>, more: Partial<TaskConfig> = {}) =>
  engine.start(await scratch.task(shell('sleep 60', config), more), never).then(
    () => 'it was started',
    (error: unknown) => String(error),
  );
const inside = (uid: number): string => String(remappedFirst + uid);

describe.skipIf(lackingForDaemon.length > 0)('docker on a daemon that maps users does what every driver does:', () => {
  const suite = containerSuite(
    opening('in process', docker, () => ({ options: { endpoint: scratch.daemon.endpoint }, deps: scratch.host.deps })),
    (config) => scratch.task(config),
  );
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => each.run(suite));
});

describe.skipIf(lackingForDaemon.length > 0)('docker on a daemon that maps users', { timeout: 180_000 }, () => {
  test('root of a container is nobody of the host, and writes what it is given', async () => {
    const of = await scratch.task(
      shell('cat /proc/self/uid_map; touch /local/l /alloc/data/a /secrets/s /alloc/logs/x || echo refused; sleep 1'),
    );
    const { stdout, isolation } = await scratch.run(engine, of);
    expect(stdout.split(/\s+/)).toEqual(['', '0', inside(0), '65536', 'refused', '']);
    const { local, shared, secrets } = of.directories;
    for (const path of [join(local, 'l'), join(shared, 'data/a'), join(secrets, 's')])
      expect(statSync(path).uid).toBe(remappedFirst);
    // root there is tried too, for it is none of the host's
    expect(isolation.rung).toBe('process');
    expect(evidenceOf(isolation, 'seccomp')).toMatch(/^unavailable tried from inside: /);
  });

  test('own ids are not claimed: each container has the same ones in a namespace of its own', async () => {
    const strict = shell('readlink /proc/self/ns/user; sleep 1', { cap_drop: ['all'], network_mode: 'none' });
    const floored = { user: 'nobody', isolationFloor: 'sandbox' } as const;
    const [one, two] = [await ran(strict, floored), await ran(strict, floored)];
    expect(one.stdout).toMatch(/^user:/);
    for (const { isolation } of [one, two]) {
      expect(isolation.rung).toBe('sandbox');
      expect(evidenceOf(isolation, 'not_root')).toMatch(new RegExp(`^verified uid ${inside(65_534)}`));
      expect(evidenceOf(isolation, 'unique_uid')).toMatch(new RegExp(`^verified shared uid: ${inside(65_534)}`));
      expect(evidenceOf(isolation, 'user_namespace')).toMatch(
        new RegExp(`^unavailable user:.* uid ${inside(65_534)} of the host, but other containers`),
      );
    }
    expect(await refusal({ ...strict }, { user: 'nobody', isolationFloor: 'container' })).toContain(
      'missing: user_namespace',
    );
  });

  test('control groups, which such a daemon mounts to be written, are covered where a floor demands it', async () => {
    const look = shell('ls /sys/fs/cgroup; sleep 1', { cap_drop: ['all'] });
    expect((await ran(look, { user: 'nobody' })).stdout).not.toBe('');
    const { stdout, isolation } = await ran(look, { user: 'nobody', isolationRequire: ['read_only_system'] });
    expect(stdout).toBe('');
    expect(evidenceOf(isolation, 'read_only_system')).toMatch(/^verified /);
  });

  test('what needs ids of the host is refused, and runs with those where the operator allows it', async () => {
    expect(await refusal({ network_mode: 'host' })).toContain('when user namespaces are enabled');
    expect(await refusal({ pid_mode: 'host' })).toContain('when user namespaces are enabled');
    expect(await refusal({ privileged: true })).toContain('incompatible with user namespaces');
    expect(await refusal({}, { user: '70000' })).toContain('unmapped user');
    const own = await ran(shell('cat /proc/self/uid_map', { userns_mode: 'host', network_mode: 'host' }));
    expect(own.stdout.split(/\s+/)).toEqual(['', '0', '0', '4294967295', '']);
    expect(own.isolation.rung).toBe('none');
  });

  test('the network of a group is entered with ids of the host alone; a refusal leaves nothing', async () => {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    try {
      const network = { mode: 'group', path: `/proc/${holder.pid}/ns/net`, labels: {} } as const;
      expect(await refusal({}, { network })).toContain('the daemon maps users (userns-remap)');
      const query = { all: 'true' };
      expect(await scratch.daemon.client.json('GET', '/containers/json', { query, signal: never })).toEqual([]);
      const config = shell('readlink /proc/self/ns/net', { userns_mode: 'host' });
      const { stdout } = await ran(config, { network });
      expect(stdout.trim()).toBe(readlinkSync(network.path));
    } finally {
      holder.kill('SIGKILL');
    }
  });
});

function evidenceOf(isolation: Awaited<ReturnType<typeof ran>>['isolation'], line: string): string {
  const found = isolation.mechanisms.find(({ name }) => name === line);
  return `${found?.state} ${found?.evidence}`;
}
