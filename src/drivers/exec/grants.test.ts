/** What a task of exec is given beside its sandbox, and held to: a low port, a part of a core; each beside the same task without it (control). */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { noCgroups } from '../../isolation/cgroup/hierarchy.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const root = process.getuid?.() === 0;
let host: ScratchHost;
let driver: OpenDriver;
let engine: EngineDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(exec, {}, host.deps);
  engine = driver.engine;
});

afterAll(async () => {
  await engine.close();
  await host.close();
});

const resources = (more: Partial<TaskConfig['resources']>): TaskConfig['resources'] => ({
  cpuShares: 100,
  cpusetCpus: '',
  memoryMb: 64,
  memoryMaxMb: 0,
  percentTicks: 0.01,
  ports: [],
  ...more,
});

async function run(config: Record<string, unknown>, more: Partial<TaskConfig> = {}, by = driver) {
  const { engine } = by;
  const task = await host.task(by, config, more);
  const { isolation } = await engine.start(task, never);
  const exit = await engine.wait(task.id, never);
  const read = (stream: string) => readFile(join(task.directories.logs, `main.${stream}.0`), 'utf8');
  const said = { exit, isolation: isolation!, stdout: await read('stdout'), stderr: await read('stderr') };
  await engine.destroy(task.id, { force: false }, never);
  return said;
}

const binds = (port: number) => ({
  command: '/usr/bin/perl',
  args: [
    '-MIO::Socket::INET',
    '-e',
    `IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => ${port}) or die "bind: $!"; open S, "/proc/self/status"; print grep /^Cap/, <S>`,
  ],
});
/** One of few that nothing uses. */
const port = 871;

describe.skipIf(!root)('a task of exec', () => {
  it('whose group has a static port below 1024 may bind it, and holds that capability alone', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const ports = [{ label: 'http', value: port, to: 0, hostIp: '127.0.0.1' }];
    const { exit, stdout, isolation } = await run(binds(port), { resources: resources({ ports }) });
    expect(exit).toMatchObject({ exitCode: 0 });
    expect(stdout).toMatch(/CapEff:\s+0{13}400/);
    expect(isolation.mechanisms.find(({ name }) => name === 'empty_capabilities')?.state).toBe('not_asked');
  });

  it('without one may not (control), and its end names the capability that it lacked', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const { exit } = await run(binds(port));
    expect(exit.exitCode).not.toBe(0);
    expect(exit.message).toMatch(
      /refused NET_BIND_SERVICE, it seems \(bind: Permission denied.*cap_add = \["net_bind_service"\]/,
    );
  });

  it('is told which capability a change of owner wants', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const { exit } = await run({ command: '/bin/sh', args: ['-c', 'touch /local/f; chown 1 /local/f'] });
    expect(exit.message).toMatch(/refused CHOWN, it seems/);
    const { exit: ordinary } = await run({ command: '/bin/sh', args: ['-c', 'echo no such thing >&2; exit 3'] });
    expect(ordinary).not.toHaveProperty('message');
  });

  it('with cpu_hard_limit is held to its share of the node, which one without is not (control)', async ({ skip }) => {
    if (host.deps.isolation.cgroups.mode === 'none') skip('no cgroups here');
    const throttled = async (more: Record<string, unknown>): Promise<number> => {
      const config = { command: '/bin/sh', args: ['-c', 'while :; do :; done'], ...more };
      const task = await host.task(driver, config, { resources: resources({ percentTicks: 0.05 }) });
      await engine.start(task, never);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const { cpu } = await engine.stats!(task.id, never);
      await engine.destroy(task.id, { force: true }, never);
      return cpu.throttledPeriods;
    };
    expect(await throttled({ cpu_hard_limit: true })).toBeGreaterThan(0);
    expect(await throttled({})).toBe(0);
  });

  const processors = { command: '/bin/sh', args: ['-c', 'sed -n "s/^Cpus_allowed_list:\\s*//p" /proc/self/status'] };

  it('with cores of its own is held to them, which one without is not (control); where no group does that, by affinity, and the report says so', async ({
    skip,
  }) => {
    if (host.deps.isolation.cgroups.mode === 'none' || availableParallelism() < 2) skip('no cgroups, or one processor');
    const { stdout: all } = await run(processors);
    const { stdout, isolation } = await run(processors, { resources: resources({ cpusetCpus: '1' }) });
    expect([all, stdout]).toEqual([expect.stringMatching(/^0-\d+\n$/), '1\n']);
    expect(isolation.mechanisms.map(({ name }) => name)).not.toContain('processors');
    const none = { ...host.deps, isolation: { ...host.deps.isolation, cgroups: noCgroups } };
    const without = openDriver(exec, {}, none);
    const held = await run(processors, { resources: resources({ cpusetCpus: '1' }) }, without);
    await without.engine.close();
    expect(held.stdout).toBe('1\n');
    expect(held.isolation.mechanisms.find(({ name }) => name === 'processors')).toMatchObject({
      state: 'verified',
      evidence: 'affinity: 1; no cgroup, so the task may take others',
    });
  });

  it('with a weight of its own among the disks has it, or is refused where no disk heeds one', async ({ skip }) => {
    const io = host.deps.isolation.cgroups.hierarchies.find(({ controllers }) => controllers.includes('io'));
    if (io === undefined) skip('no io controller here');
    const outcome = await run({ command: '/bin/true', args: [], io_weight: 200 }).then(
      ({ exit }) => `exit ${exit.exitCode}`,
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(/^exit 0$|^io_weight: no disk of this host is shared by weight/);
    await expect(run({ command: '/bin/true', args: [], io_weight: 20_000 })).rejects.toThrow('io_weight is 1 to 10000');
  });
});

describe('the floor of a driver on its node', () => {
  const first = async (of: OpenDriver) => {
    for await (const report of of.engine.fingerprint(AbortSignal.timeout(30_000))) return report;
    throw new Error('no report');
  };

  it('that nothing here reaches makes the driver unhealthy and refuses its tasks; one that is reached does not (control)', async () => {
    const strict = openDriver(exec, { isolation: [{ prefer: 'vm', min: 'vm' }] }, host.deps);
    expect(await first(strict)).toMatchObject({
      health: 'unhealthy',
      description: expect.stringContaining('min = "vm"'),
    });
    const task = await host.task(strict, { command: '/bin/true', args: [] });
    await expect(strict.engine.start(task, never)).rejects.toThrow(/isolation floor "vm" is not reached/);
    await strict.engine.close();
    expect((await first(driver)).health).toBe('healthy');
    expect(() => openDriver(exec, { isolation: [{ prefer: 'process', min: 'sandbox' }] }, host.deps)).toThrow(
      'isolation.min "sandbox" is above isolation.prefer "process"',
    );
  });
});
