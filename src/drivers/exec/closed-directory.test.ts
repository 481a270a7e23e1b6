/** Everything of an agent of root's lies below a directory that no other user may enter: tasks with uids of their own run all the same. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { commandSuite } from '../../driver-kit/command-suite.ts';
import { conformanceCases } from '../../driver-kit/conformance.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { rawExec } from '../raw-exec/index.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const ways = [
  ['bubblewrap', 'sandbox', 'runtime.bwrap', { isolation: [{ runtimes: ['bwrap'] }] }, {}],
  [
    'runc',
    'container',
    'runtime.runc',
    { isolation: [{ runtimes: ['runc'] }] },
    { network: { mode: 'none', path: '', labels: {} } },
  ],
  ['no runtime', 'process', 'no_new_privs', { isolation: [{ prefer: 'process' }] }, {}],
] as const;

describe.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('below a closed directory', () => {
  let host: ScratchHost;
  let volume: string;

  beforeAll(async () => {
    host = await openScratchHost({ isolation: true, closed: true });
    volume = join(dirname(host.scratch.root), 'volume');
    await mkdir(volume);
    await writeFile(join(volume, 'file'), 'of the volume\n');
  });
  afterAll(async () => {
    const left = await host.leftGroups();
    await host.close();
    expect(left).toEqual([]);
  });

  async function run(driver: OpenDriver, script: string, more: Partial<TaskConfig>) {
    const { engine } = driver;
    const of = await host.task(driver, { command: '/bin/sh', args: ['-c', script] }, more);
    const { isolation } = await engine.start(of, never);
    const exit = await engine.wait(of.id, never);
    const stdout = await readFile(join(of.directories.logs, 'main.stdout.0'), 'utf8');
    await engine.destroy(of.id, { force: true }, never);
    return { of, exit, stdout, rung: isolation?.rung };
  }

  it('the probes reach the verifier, and another user reaches nothing', () => {
    const { probes, best } = host.deps.isolation;
    expect(probes.get('seccomp')).toMatchObject({ ok: true });
    expect(probes.get('reachable')).toMatchObject({ ok: true });
    if (probes.get('runtime.bwrap')?.ok === true) expect(best).toBe('sandbox');
    const asNobody = { uid: 65_534, gid: 65_534, stdio: 'pipe' } as const;
    expect(() => execFileSync('ls', [host.scratch.root], asNobody)).toThrow('Permission denied');
  });

  it.each(ways)('a task by %s runs at rung %s, with its directories and a volume from there', async (...way) => {
    const [, rung, probe, config, more] = way;
    const { ok, evidence } = host.deps.isolation.probes.get(probe) ?? { ok: false, evidence: '' };
    // not installed is the only excuse
    if (!ok && /not installed/.test(evidence)) return;
    expect(ok, evidence).toBe(true);
    const driver = openDriver(exec, config, host.deps);
    const seen = rung === 'process' ? volume : '/volume';
    const mount = { hostPath: volume, taskPath: '/volume', readOnly: true, propagation: 'private' } as const;
    const local = rung === 'process' ? 'local' : '/local';
    const script = `cat ${seen}/file; echo mine > ${local}/mine; id -u; ls ${dirname(host.scratch.root)} 2>/dev/null; true`;
    const { of, exit, stdout, rung: reached } = await run(driver, script, { ...more, mounts: [mount] } as never);
    expect({ exit: exit.exitCode, reached }).toEqual({ exit: 0, reached: rung });
    expect(stdout).toMatch(/^of the volume\n/);
    expect((await stat(join(of.directories.local, 'mine'))).uid).toBeGreaterThan(1_000_000);
    // what the host has is as it was: nothing was opened, nothing stays mounted
    expect((await stat(dirname(host.scratch.root))).mode & 0o7777).toBe(0o700);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(dirname(host.scratch.root));
    await driver.engine.close();
  });

  it('a raw_exec task with a user reaches its directory, and nothing else below', async () => {
    const driver = openDriver(rawExec, { enabled: true }, host.deps);
    const script = `pwd; ls ${dirname(host.scratch.root)}; ls ${volume}; cat ${volume}/file`;
    const { stdout, of } = await run(driver, script, { user: 'nobody' });
    expect(stdout).toContain(of.directories.task);
    expect(stdout).not.toContain('volume');
    await driver.engine.close();
  });

  describe('exec does what every driver does:', () => {
    it.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(commandSuite(host.scratch, () => openDriver(exec, {}, host.deps))),
    );
  });

  describe('exec on an OCI runtime does what every driver does:', () => {
    it.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
      if (host.deps.isolation.probes.get('runtime.runc')?.ok !== true) return;
      const config = { isolation: [{ runtimes: ['runc'] }] };
      await each.run(commandSuite(host.scratch, () => openDriver(exec, config, host.deps)));
    });
  });
});
