// Podman's service of an ordinary user: everything a driver does, without root.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver } from '../../driver/contract.ts';
import { conformanceCases } from '../../driver-kit/conformance.ts';
import { lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { opening } from '../../driver-kit/served-driver.ts';
import { containerSuite, ScratchDocker, shell } from '../docker/scratch-docker.ts';
import { podman } from './index.ts';

const never = new AbortController().signal;
const lacking = lackingForPodman.length > 0 || !existsSync('/usr/bin/newuidmap') || !existsSync('/usr/bin/slirp4netns');
let scratch: ScratchDocker;
let engine: EngineDriver;

beforeAll(async () => {
  if (lacking) return;
  scratch = await ScratchDocker.open({ engine: 'podman', rootless: true });
  engine = scratch.driver().engine;
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const suite = containerSuite(
  opening('in process', podman, () => ({
    options: { socket_path: scratch.daemon.endpoint },
    deps: scratch.host.deps,
  })),
  (config) => scratch.task(config),
);

describe.skipIf(lacking)('podman of an ordinary user does what every driver does:', { timeout: 90_000 }, () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => each.run(suite));
});

describe.skipIf(lacking)('podman of an ordinary user', { timeout: 90_000 }, () => {
  test('says so; root of a container is that user, and the others are ids of its own', async () => {
    for await (const report of engine.fingerprint(never)) {
      if (report.health === 'undetected') continue;
      expect(report.attributes).toMatchObject({ 'driver.podman.rootless': 'true' });
      break;
    }
    const of = await scratch.task(shell('cat /proc/self/uid_map; touch /local/mine'));
    const { stdout } = await scratch.run(engine, of);
    expect(stdout.trim().split(/\s+/)).toEqual(['0', '1500', '1', '1', '1800000000', '65536']);
    expect(statSync(join(of.directories.local, 'mine')).uid).toBe(1500);
  });

  test('bounds nothing where control groups are of version 1, and so keeps no floor', async ({ skip }) => {
    const { hierarchies } = scratch.host.deps.isolation.cgroups;
    if (!hierarchies.some(({ version, controllers }) => version === 1 && controllers.includes('memory')))
      skip('no version 1');
    const of = await scratch.task(shell('sleep 60'), { isolationFloor: 'process', user: 'nobody' });
    await expect(engine.start(of, never)).rejects.toThrow('isolation floor "process" is not reached');
  });

  test('has the network that the operator says, where the task names none', async ({ skip }) => {
    if (((statSync('/dev/net/tun', { throwIfNoEntry: false })?.mode ?? 0) & 0o006) !== 0o006)
      skip('/dev/net/tun is closed to users');
    const networking = [{ default_rootless_mode: 'slirp4netns' }];
    const by = scratch.driver({ networking }).engine;
    const of = await scratch.task(shell('cat /proc/net/dev', { network_mode: '' }));
    expect((await scratch.run(by, of)).stdout).toContain('tap0');
  });
});
