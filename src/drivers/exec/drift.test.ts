/** What the host takes from a running task is seen the next time it is looked at; what nobody touched stays verified (control). */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskHandleState } from '../../driver/contract.ts';
import type { CommandState } from '../../driver-kit/command-state.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { isolationChange } from '../../model/isolation-losses.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const root = process.getuid?.() === 0;
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

/** Runs a task, does `harm` to it, and names the lines that are lost then, and those that come back after `mend`. */
async function lostBy(harm: (state: CommandState) => void, mend?: (state: CommandState) => void) {
  const { engine } = driver;
  const task = await host.task(driver, { command: '/bin/sleep', args: ['300'] });
  const started = await engine.start(task, never);
  const state = started.state as TaskHandleState as CommandState;
  try {
    harm(state);
    const now = await engine.isolation!(task.id, never);
    const lost = isolationChange(started.isolation!, now).lost.map(({ name }) => name);
    mend?.(state);
    const later = await engine.isolation!(task.id, never);
    return { before: started.isolation!.rung, rung: now.rung, lost, regained: isolationChange(now, later).regained };
  } finally {
    await engine.destroy(task.id, { force: true }, never);
  }
}

const directoryOf = ({ cgroup }: CommandState, controller: string) =>
  cgroup!.directories.find(({ controllers }) => controllers.includes(controller));

function write(state: CommandState, controller: string, file: string, value: string): void {
  writeFileSync(join(directoryOf(state, controller)!.path, file), value);
}

/** Into the hierarchy's own top group. */
function moveOut(state: CommandState, controller: string): void {
  const { path } = directoryOf(state, controller)!;
  writeFileSync(join(path, '../..', 'cgroup.procs'), String(state.pid));
}

it('(control) a task loses nothing where nothing is done to it', async () => {
  expect((await lostBy(() => undefined)).lost).toEqual([]);
});

describe.skipIf(!root)('a running task', () => {
  it('loses the bound on processes with its limit, and has it again with it', async ({ skip }) => {
    if (host.deps.isolation.cgroups.mode === 'none') skip('no cgroups here');
    const was = String((await lostBy(() => undefined)).before);
    const found = await lostBy(
      (state) => write(state, 'pids', 'pids.max', 'max'),
      (state) => write(state, 'pids', 'pids.max', String(state.checks!.limits!.pids)),
    );
    expect(found).toEqual({
      before: was,
      rung: 'none',
      lost: ['pids_limit', 'cgroup_limits'],
      regained: ['pids_limit', 'cgroup_limits'],
    });
  });

  it('loses the bound on memory when it is raised', async ({ skip }) => {
    if (host.deps.isolation.cgroups.mode === 'none') skip('no cgroups here');
    const file = (state: CommandState): string =>
      directoryOf(state, 'memory')!.version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
    const found = await lostBy((state) => write(state, 'memory', file(state), String(1024 * 1024 * 1024)));
    expect(found.lost).toEqual(['memory_limit', 'cgroup_limits']);
  });

  it('loses its share of the processor when that is changed, and no rung with it', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const found = await lostBy((state) => {
      const two = directoryOf(state, 'cpu')!.version === 2;
      write(state, 'cpu', two ? 'cpu.weight' : 'cpu.shares', '9000');
    });
    expect(found).toMatchObject({ rung: 'sandbox', lost: ['cgroup_limits'] });
  });

  it('loses its limits with the swap that somebody lets it have', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const found = await lostBy((state) => {
      const two = directoryOf(state, 'memory')!.version === 2;
      write(state, 'memory', two ? 'memory.swap.max' : 'memory.swappiness', two ? 'max' : '60');
    });
    expect(found).toMatchObject({ rung: 'sandbox', lost: ['cgroup_limits'] });
  });

  it('is not bounded any more once it is moved out of its group, and not ended as one', async ({ skip }) => {
    if (host.deps.isolation.cgroups.mode === 'none') skip('no cgroups here');
    const pids = await lostBy((state) => moveOut(state, 'pids'));
    expect(pids.lost).toEqual(expect.arrayContaining(['pids_limit', 'cgroup_limits']));
    const killed = await lostBy((state) => {
      const two = state.cgroup!.directories.find(({ version }) => version === 2);
      if (two === undefined) moveOut(state, 'freezer');
      else writeFileSync(join(two.path, '../..', 'cgroup.procs'), String(state.pid));
    });
    expect(killed.lost).toContain('kill_unit');
  });

  it('loses its read-only system with a mount that somebody makes in its view', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const found = await lostBy(({ pid }) => {
      execFileSync('nsenter', ['--target', String(pid), '--mount', 'mount', '-t', 'tmpfs', 'none', '/usr']);
    });
    expect(found).toMatchObject({ rung: 'process', lost: expect.arrayContaining(['read_only_system']) });
  });

  it('that has ended is not said to have lost anything', async () => {
    const { engine } = driver;
    const task = await host.task(driver, { command: '/bin/true' });
    const { isolation } = await engine.start(task, never);
    await engine.wait(task.id, never);
    expect(await engine.isolation!(task.id, never)).toEqual(isolation);
    await engine.destroy(task.id, { force: true }, never);
  });
});
