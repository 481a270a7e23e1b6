/** What is proved of a host, kept, and looked at again. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { openCgroups } from './cgroup/hierarchy.ts';
import { type IsolationHost, openIsolation } from './isolation-host.ts';
import { openProofs, proofKey } from './proofs.ts';
import { isolationAttributes, mechanismNames } from './rungs.ts';
import { gatherTaskMounts, releaseTaskMounts } from './task-mounts.ts';

const linux = process.platform === 'linux';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-host-'));
  chmodSync(root, 0o755);
});
// what was proved is still being written down, by this very thread
afterEach(async () => {
  for (let tries = 0; existsSync(root) && tries < 100; tries++) {
    await rm(root, { recursive: true, force: true }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
afterAll(async () => {
  const { hierarchies } = await openCgroups(`drover-test-${process.pid}`);
  for (const { parent } of hierarchies) rmdirSync(parent);
});

const open = (verifier = locateVerifier()): Promise<IsolationHost> =>
  openIsolation({
    cgroupParent: `drover-test-${process.pid}`,
    verifier,
    stateDirectory: join(root, 'state'),
    taskRoot: join(root, 'alloc'),
  });

describe.skipIf(!linux)('the proofs of a host', () => {
  it('are of every mechanism that node attributes name', async () => {
    const { probes } = await open();
    expect([...probes.keys()].sort()).toEqual([...mechanismNames].sort());
    for (const each of probes.values()) expect(each.ok || each.evidence.length > 3).toBe(true);
    const attributes = isolationAttributes(probes);
    for (const name of mechanismNames) expect(attributes[`isolation.${name}`]).toMatch(/\w/);
  });

  it('count again at the next start, unprobed, while nothing they rest on has changed', async () => {
    const before = await open();
    before.proofs.set('mark', 1);
    await expect.poll(async () => (await open()).proofs.get('mark')).toBe(1);
    const after = await open();
    // times of a probe are never twice the same to the millisecond, all of them
    expect([...after.probes.values()]).toEqual([...before.probes.values()]);
  });

  it('count no more once a program that isolates is another one', async () => {
    const verifier = locateVerifier();
    if (verifier === null) return;
    const program = join(root, 'drover-verify');
    copyFileSync(verifier.program, program);
    const own = { ...verifier, program };
    (await open(own)).proofs.set('mark', 1);
    await expect.poll(async () => (await open(own)).proofs.get('mark')).toBe(1);
    writeFileSync(program, '#!/bin/sh\nexit 1\n');
    const changed = await open(own);
    expect(changed.proofs.get('mark')).toBeUndefined();
    expect(changed.probes.get('seccomp')).toMatchObject({ ok: false });
  });

  it('hold in another directory too, for all that the agent makes a mount of it', async () => {
    const keys: string[] = [];
    for (const name of ['here', 'there']) {
      const taskRoot = join(root, name);
      const gathered = await gatherTaskMounts(taskRoot);
      keys.push(proofKey({ taskRoot, programs: [], options: [] }));
      await releaseTaskMounts(gathered);
    }
    expect(keys[1]).toBe(keys[0]);
  });

  it('name what was lost when the host is looked at again', async () => {
    const verifier = locateVerifier();
    if (verifier === null) return;
    const program = join(root, 'drover-verify');
    copyFileSync(verifier.program, program);
    const host = await open({ ...verifier, program });
    expect(await host.refresh()).toEqual([]);
    writeFileSync(program, '#!/bin/sh\nexit 1\n');
    const lost = await host.refresh();
    expect(lost).toContain('seccomp');
    expect(host.best).not.toBe('sandbox');
    expect(isolationAttributes(host.probes)['isolation.seccomp']).not.toBe('verified');
  });

  it('that were damaged on the disk are made anew', async () => {
    const file = join(root, 'proofs.json');
    const proofs = await openProofs(file, 'key', false);
    proofs.set('a', 1);
    await expect.poll(() => readable(file)).toContain('"a":1');
    expect((await openProofs(file, 'key', false)).get('a')).toBe(1);
    expect((await openProofs(file, 'another', false)).get('a')).toBeUndefined();
    expect((await openProofs(file, 'key', true)).get('a')).toBeUndefined();
    writeFileSync(file, '{"key":"key","proofs');
    expect((await openProofs(file, 'key', false)).get('a')).toBeUndefined();
  });
  it('are found out once, whoever asks meanwhile, and again where that failed', async () => {
    const proofs = await openProofs(join(root, 'once.json'), 'key', false);
    let asked = 0;
    const failing = () => proofs.once('a', () => Promise.reject(new Error(`no ${++asked}`)));
    await expect(Promise.allSettled([failing(), failing()])).resolves.toHaveLength(2);
    expect(asked).toBe(1);
    const finding = () => proofs.once('a', async () => ++asked);
    expect(await Promise.all([finding(), finding()])).toEqual([2, 2]);
    expect(await finding()).toBe(2);
    expect(proofs.get('a')).toBe(2);
  });
});

function readable(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

describe('probes of mechanisms, on a host that has them,', () => {
  // root on a host whose kernel and cgroups are whole: elsewhere the evidence says what is missing
  it.skipIf(!linux || process.getuid?.() !== 0)('see the effect of each limit and each right', async ({ skip }) => {
    const { probes, cgroups } = await open();
    const seen = (name: string) => `${name}: ${probes.get(name)?.ok} ${probes.get(name)?.evidence}`;
    expect(seen('mounts.read_only')).toContain('true a file of a read-only bind is refused');
    expect(seen('mounts.masked')).toContain('true a masked file is empty');
    expect(seen('mounts.bounded')).toContain('true 2 MiB do not fit');
    // said of the place where tasks' directories are, whatever it is
    expect(seen('disk_quota')).toMatch(/quotas of projects/);
    if (cgroups.mode === 'none') skip('no cgroups here');
    expect(seen('cgroup.cpu')).toMatch(/true a spinning child was held to a tenth of a core: nr_throttled [1-9]/);
    const has = (name: string): boolean => cgroups.hierarchies.some(({ controllers }) => controllers.includes(name));
    if (has('cpuset')) expect(seen('cgroup.cpuset')).toMatch(/true held to processor \d+ of/);
    if (cgroups.hierarchies.some((each) => each.version === 1 && each.controllers.includes('devices')))
      expect(seen('cgroup.devices')).toContain('true a denied device cannot be opened');
  });
});
