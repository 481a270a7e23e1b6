import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeWritable } from './machine.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'drover-test-image-'));
  for (const name of ['host', 'alloc/data']) await mkdir(join(root, name), { recursive: true });
  for (const name of ['host/disk', 'alloc/data/disk']) {
    await writeFile(join(root, name), '');
    await chmod(join(root, name), 0o600);
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

const modeOf = async (name: string): Promise<number> => (await stat(join(root, name))).mode & 0o777;

test('an image of the allocation is made writable', async () => {
  await makeWritable(join(root, 'alloc'), join(root, 'alloc/data/disk'));
  expect(await modeOf('alloc/data/disk')).toBe(0o666);
});

test.each([
  ['the image', 'alloc/data/disk', 'host/disk'],
  ['its directory', 'alloc/data', 'host'],
])('a file of the host stays as it is where a link to it takes the place of %s', async (_what, from, to) => {
  await rename(join(root, from), join(root, 'aside'));
  await symlink(join(root, to), join(root, from));
  expect(await modeOf('alloc/data/disk'), 'what the path leads to now').toBe(0o600);
  await expect(makeWritable(join(root, 'alloc'), join(root, 'alloc/data/disk'))).rejects.toMatchObject({
    kind: expect.stringMatching(/denied|invalid/),
  });
  expect(await modeOf('host/disk')).toBe(0o600);
});
