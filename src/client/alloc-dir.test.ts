import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
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

  it('find users by name or number', async () => {
    expect(await lookUpUser('root')).toEqual({ uid: 0, gid: 0 });
    expect(await lookUpUser('12345')).toEqual({ uid: 12345, gid: 12345 });
    expect(await lookUpUser('no-such-user')).toBeNull();
  });
});
