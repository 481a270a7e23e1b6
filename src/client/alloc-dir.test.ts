import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  buildAllocationDirectory,
  buildTaskDirectory,
  lookUpUser,
  removeAllocationDirectory,
  taskDirectories,
} from './alloc-dir.ts';
import { listMounts } from './mounts.ts';

const isRoot = process.getuid?.() === 0;
let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "drover it's "));
});
afterEach(async () => {
  await removeAllocationDirectory(base, 'a1');
  rmSync(base, { recursive: true, force: true });
});

const mode = (path: string): string => (statSync(join(base, 'a1', path)).mode & 0o7777).toString(8);

describe('the directories of an allocation', () => {
  it('have the modes that tasks of any user of the group need, and hide from the rest of the host', async () => {
    buildAllocationDirectory(base, 'a1');
    await buildTaskDirectory(taskDirectories(base, 'a1', 't'), null, 1);
    expect(mode('.')).toBe('711');
    for (const path of ['alloc', 'alloc/data', 'alloc/logs', 'alloc/tmp', 't', 't/local', 't/secrets', 't/private']) {
      expect(mode(path), path).toBe('777');
    }
    expect(mode('t/tmp')).toBe('1777');
  });

  it('give secrets to the one user who owns the task', async () => {
    buildAllocationDirectory(base, 'a1');
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    await buildTaskDirectory(taskDirectories(base, 'a1', 't'), isRoot ? { uid: 4711, gid: 4711 } : owner, 1);
    expect(mode('t/secrets')).toBe('700');
    expect(statSync(join(base, 'a1/t/secrets')).uid).toBe(isRoot ? 4711 : owner.uid);
  });

  it.skipIf(!isRoot || process.platform !== 'linux')(
    'keep secrets in 1 MiB of memory from which nothing can be run',
    async () => {
      buildAllocationDirectory(base, 'a1');
      const directories = taskDirectories(base, 'a1', 't');
      expect(await buildTaskDirectory(directories, null, 1)).toEqual({ secretsOnDisk: null });
      await buildTaskDirectory(directories, null, 1);
      expect(await listMounts(join(base, 'a1'))).toEqual([directories.secrets]);
      const facts = statfsSync(directories.secrets);
      expect(facts.blocks * facts.bsize).toBe(1024 * 1024);
      writeFileSync(join(directories.secrets, 'run'), '#!/bin/sh\n', { mode: 0o755 });
      expect(() => execFileSync(join(directories.secrets, 'run'))).toThrow('EACCES');
      await removeAllocationDirectory(base, 'a1');
      expect(await listMounts(base)).toEqual([]);
    },
  );

  it.skipIf(!isRoot || process.platform !== 'linux')(
    'go as a whole while their secrets are being mounted',
    async () => {
      for (let round = 0; round < 10; round++) {
        buildAllocationDirectory(base, 'a1');
        const building = ['t', 'u', 'v'].map((task) => buildTaskDirectory(taskDirectories(base, 'a1', task), null, 1));
        await removeAllocationDirectory(base, 'a1');
        await Promise.all(building);
        expect(existsSync(join(base, 'a1'))).toBe(false);
        expect(await listMounts(base)).toEqual([]);
      }
    },
  );

  it.skipIf(!isRoot || process.platform !== 'linux')(
    'are looked through for mounts as they are when somebody asks, also beside a look that began before',
    async () => {
      const at = join(base, 'a1/t/secrets');
      mkdirSync(at, { recursive: true });
      // at some of these moments the earlier look has read, and has not told yet
      for (let turns = 0; turns < 12; turns++) {
        const earlier = listMounts(base);
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        execFileSync('mount', ['-t', 'tmpfs', 'none', at]);
        const [, ...later] = await Promise.all([earlier, listMounts(base), listMounts(base)]);
        execFileSync('umount', [at]);
        expect(later).toEqual([[at], [at]]);
      }
    },
  );

  it.skipIf(isRoot)('say why secrets are on the disk without root', async () => {
    buildAllocationDirectory(base, 'a1');
    const built = await buildTaskDirectory(taskDirectories(base, 'a1', 't'), null, 1);
    expect(built.secretsOnDisk).toBe(process.platform === 'linux' ? 'mounting needs root' : expect.any(String));
  });

  it('go as a whole, and nothing that their links point at', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'drover-outside-'));
    writeFileSync(join(outside, 'keep'), '');
    buildAllocationDirectory(base, 'a1');
    await buildTaskDirectory(taskDirectories(base, 'a1', 't'), null, 1);
    symlinkSync(outside, join(base, 'a1/t/local/link'));
    await removeAllocationDirectory(base, 'a1');
    expect(existsSync(join(base, 'a1'))).toBe(false);
    expect(readdirSync(outside)).toEqual(['keep']);
    rmSync(outside, { recursive: true });
  });

  it.skipIf(process.platform !== 'linux')(
    'are left alone where a task has put a link in their place, and so is what it points at',
    async () => {
      const outside = mkdtempSync(join(tmpdir(), 'drover-outside-'));
      chmodSync(outside, 0o700);
      const before = statSync(outside);
      const directories = taskDirectories(base, 'a1', 't');
      buildAllocationDirectory(base, 'a1');
      await buildTaskDirectory(directories, null, 1);
      for (const path of ['alloc/data', 'alloc/tmp', 'alloc/logs']) {
        const at = join(base, 'a1', path);
        rmdirSync(at);
        symlinkSync(outside, at);
        buildAllocationDirectory(base, 'a1');
        expect(readlinkSync(at)).toBe(outside);
        unlinkSync(at);
        mkdirSync(at);
      }
      for (const path of ['t/local', 't/tmp', 't/private']) {
        const at = join(base, 'a1', path);
        rmdirSync(at);
        symlinkSync(outside, at);
        await buildTaskDirectory(directories, null, 1).catch((error: Error) =>
          expect(error.message).toBe(`${directories.private} is no directory any more`),
        );
        expect(readlinkSync(at)).toBe(outside);
        unlinkSync(at);
        mkdirSync(at);
      }
      expect(statSync(outside)).toMatchObject({ mode: before.mode, uid: before.uid, gid: before.gid });
      rmSync(outside, { recursive: true });
    },
  );

  it.skipIf(!isRoot || process.platform !== 'linux')('mount no secrets where a link leads', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'drover-outside-'));
    const directories = taskDirectories(base, 'a1', 't');
    buildAllocationDirectory(base, 'a1');
    mkdirSync(directories.task);
    symlinkSync(outside, directories.secrets);
    await expect(buildTaskDirectory(directories, null, 1)).rejects.toThrow('no directory');
    expect(await listMounts(outside)).toEqual([]);
    rmSync(outside, { recursive: true });
  });

  it('find users by name or number', async () => {
    expect(await lookUpUser('root')).toEqual({ uid: 0, gid: 0 });
    expect(await lookUpUser('12345')).toEqual({ uid: 12345, gid: 12345 });
    expect(await lookUpUser('no-such-user')).toBeNull();
  });
});
