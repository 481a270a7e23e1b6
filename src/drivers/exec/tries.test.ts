/** The full set of the verifier: once for each way of isolating and boot, against a control where nothing protects. */

import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { startCommand } from '../../driver-kit/start-command.ts';
import { isolationTrials, triedWay } from '../../driver-kit/trial.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const linux = process.platform === 'linux';
const root = process.getuid?.() === 0;
const isolation = {
  prefer: 'container',
  pidMode: 'private',
  ipcMode: 'private',
  capabilities: [],
  runtimes: [],
} as const;
let host: ScratchHost;
beforeEach(async () => {
  host = await openScratchHost({ isolation: true });
});
afterEach(() => host.close());

const specOf = (more: Partial<typeof isolation> | { readonly capabilities: readonly string[] } = {}) => ({
  command: '/bin/true',
  args: [],
  workDir: '/',
  defaultUser: root ? 'nobody' : '',
  isolation: { ...isolation, ...more },
});

/** Sends the first `times` of the trial tasks' tries of the processor the signal by which their own time ends them. */
function cutOffSpinning(taskRoot: string, times: number) {
  const ended = new Set<string>();
  const text = (pid: string, file: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1');
    } catch {
      return '';
    }
  };
  const tries = (pid: string): boolean =>
    text(pid, 'cmdline').includes(`=${taskRoot}/`) && text(pid, 'cmdline').includes('\0try\0');
  const children = (pid: string): readonly string[] => text(pid, `task/${pid}/children`).split(' ').filter(Boolean);
  const isIn = (state: string) => (pid: string) => text(pid, 'status').includes(`\nState:\t${state}`);
  // one that waits for two of its own, which spin
  const spins = (pid: string): boolean =>
    tries(pid) && isIn('S')(pid) && children(pid).length === 2 && children(pid).every(isIn('R'));
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((each) => /^\d+$/.test(each) && !ended.has(each))) {
      if (ended.size >= times || !spins(pid)) continue;
      if (/\0nonce=control\0/.test(text(pid, 'cmdline'))) continue;
      ended.add(pid);
      process.kill(Number(pid), 'SIGALRM');
    }
  }, 20);
  return { stop: () => clearInterval(timer), ended: () => ended.size };
}

describe.skipIf(!linux)('the full set of tries', () => {
  it('is run once for each way of isolating, and again where the host was looked at again', async () => {
    const starts = vi.spyOn(host.deps.supervisor, 'start');
    const task = await host.scratch.task({});
    const [first, second] = await Promise.all([
      triedWay(host.deps, task, specOf()),
      triedWay(host.deps, task, specOf()),
    ]);
    expect(starts).toHaveBeenCalledTimes(1);
    expect(second).toEqual(first);
    await triedWay(host.deps, task, specOf({ capabilities: ['CHOWN'] }));
    expect(starts).toHaveBeenCalledTimes(2);
    await triedWay(host.deps, task, specOf());
    // an agent that starts anew in the same boot has the proofs, not what it remembered
    const again = { ...host.deps, isolation: { ...host.deps.isolation, probes: new Map(host.deps.isolation.probes) } };
    expect(await triedWay(again, task, specOf())).toEqual(first);
    expect(starts).toHaveBeenCalledTimes(2);
    await host.deps.isolation.refresh();
    await triedWay(host.deps, task, specOf());
    expect(starts).toHaveBeenCalledTimes(3);
  });

  it('is tried where nothing protects first: as root nearly all of it takes effect there', async ({ skip }) => {
    if (!root) skip('as an ordinary user less is allowed in any case');
    let reports = await isolationTrials(host.deps);
    // on a host that is too busy the control does not come to its end, and is made again
    while (host.deps.isolation.proofs.get('control') === undefined) reports = await isolationTrials(host.deps);
    const { hostNetwork, ownNetwork } = reports;
    const control = host.deps.isolation.proofs.get('control') as readonly string[];
    expect(control.length).toBeGreaterThan(50);
    expect(control).toEqual(
      expect.arrayContaining([
        'seccomp keyctl',
        'pids_limit more processes than allowed',
        'user_namespace core_pattern',
        'no_new_privs a setuid program',
        "mount_namespace the host's files, by leaving a root within the root",
        'unique_uid a file of another allocation',
      ]),
    );
    const evidence = (report: typeof ownNetwork, name: string) =>
      report.mechanisms.find((each) => each.name === name)?.evidence;
    if (hostNetwork.rung !== 'sandbox') skip('no sandbox here');
    expect(evidence(hostNetwork, 'seccomp')).toMatch(/^Seccomp 2; (2[5-9]|[3-9]\d) tries from inside stopped$/);
    // on a host that is too busy nothing gets more than its share in any case
    const spun = control.includes('cgroup_limits more processor time than allowed') ? ['cgroup_limits'] : [];
    for (const name of ['pids_limit', 'memory_limit', 'no_new_privs', 'pid_namespace', 'ipc_namespace', ...spun])
      expect(evidence(hostNetwork, name)).toMatch(/; 1 try from inside stopped$/);
    for (const name of ['mount_namespace', 'unique_uid'])
      expect(evidence(hostNetwork, name)).toMatch(/; 2 tries from inside stopped$/);
    if (ownNetwork.rung !== 'container') skip('no container here');
    for (const name of ['network_policy', 'devices', 'user_namespace', 'cgroup_namespace'])
      expect(evidence(ownNetwork, name)).toMatch(/; (1 try|\d tries) from inside stopped$/);
  });

  it.skipIf(!root)('is made again where one was cut off, and takes the line where one is each time', async () => {
    const task = await host.scratch.task({});
    const starts = vi.spyOn(host.deps.supervisor, 'start');
    const name = 'more processor time than allowed';
    const always = cutOffSpinning(host.deps.isolation.taskRoot, Number.POSITIVE_INFINITY);
    const lost = await triedWay(host.deps, task, specOf()).finally(always.stop);
    expect(always.ended()).toBe(3);
    expect(starts).toHaveBeenCalledTimes(3);
    expect(lost.tried?.['cgroup_limits']).toEqual({ stopped: 0, through: [], cutOff: [name] });
    expect(lost.tried?.['seccomp']).toMatchObject({ through: [], cutOff: [] });
    const started = await startCommand(
      { ...lost, spec: { ...specOf(), pidsLimit: 64 } },
      host.deps,
      task,
      join(host.deps.stateDirectory, 'cut'),
      never,
    );
    const report = started.state.isolation;
    await started.stop(9, 0, never);
    await started.forget();
    expect(report.mechanisms.find((each) => each.name === 'cgroup_limits')).toMatchObject({
      state: 'unavailable',
      evidence: `tried from inside: ${name} was cut off`,
    });

    // what was cut off is not kept for the boot: another look is a fresh one, and once is made good
    const again = { ...host.deps, isolation: { ...host.deps.isolation, probes: new Map(host.deps.isolation.probes) } };
    starts.mockClear();
    const once = cutOffSpinning(host.deps.isolation.taskRoot, 1);
    const found = await triedWay(again, task, specOf()).finally(once.stop);
    expect(once.ended()).toBe(1);
    expect(starts).toHaveBeenCalledTimes(2);
    expect(found.tried?.['cgroup_limits']?.cutOff ?? []).toEqual([]);
  });

  it.skipIf(!root)('that could not be made promises nothing of a task that starts all the same', async () => {
    const { taskRoot } = host.deps.isolation;
    const task = await host.scratch.task({});
    // nobody can make a directory there
    await writeFile(join(taskRoot, '.trials'), '');
    const { tried } = await triedWay(host.deps, task, specOf());
    expect(tried).toBeNull();
    const directory = join(host.deps.stateDirectory, 'untried');
    const floored = { ...task, isolationFloor: 'process' as const };
    await expect(startCommand({ spec: specOf(), tried }, host.deps, floored, directory, never)).rejects.toThrow(
      /"process" is not reached: the task would run at "none"; missing: session \(.*could not be tried\)/,
    );
  });

  it('decides over a task: a line that was got past is not given, and its floor refuses it', async ({ skip }) => {
    const driver = openDriver(exec, {}, host.deps);
    try {
      const options = { command: '/bin/sleep', args: ['30'] };
      const before = await driver.engine.start(await host.task(driver, options), never);
      if (before.isolation?.rung !== 'sandbox') skip('no sandbox here');
      const { proofs } = host.deps.isolation;
      // as if a filter had let one call pass
      const set = proofs.get.bind(proofs);
      vi.spyOn(proofs, 'get').mockImplementation((name) =>
        name.startsWith('trial ')
          ? { lines: [], tried: { seccomp: { stopped: 38, through: ['keyctl'], cutOff: [] } }, runtimes: [] }
          : set(name),
      );
      Object.assign(host.deps.isolation, { probes: new Map(host.deps.isolation.probes) });
      const after = await driver.engine.start(await host.task(driver, options), never);
      expect(after.isolation?.rung).toBe('process');
      expect(after.isolation?.mechanisms.find(({ name }) => name === 'seccomp')).toMatchObject({
        state: 'unavailable',
        evidence: 'tried from inside: keyctl took effect',
      });
      const floored = await host.task(driver, options, { isolationFloor: 'sandbox' });
      await expect(driver.engine.start(floored, never)).rejects.toThrow(/missing: seccomp \(tried from inside: keyctl/);
    } finally {
      await driver.engine.close();
    }
  });
});
