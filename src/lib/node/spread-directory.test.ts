import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeSpreadDirectory } from './spread-directory.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-spread-'));
afterAll(() => rmSync(directory, { recursive: true }));
const ext4 = 0xef53;
const attributes = (path: string): string => execFileSync('lsattr', ['-d', path], { encoding: 'utf8' }).split(' ')[0]!;

test('it is made with its parents, in the mode that was asked for; one that is there is kept', async () => {
  const path = join(directory, 'a', 'b');
  await makeSpreadDirectory(path, 0o711);
  await makeSpreadDirectory(path, 0o700);
  expect(statSync(path).mode & 0o777).toBe(0o711);
});

test.skipIf(statfsSync(directory).type !== ext4 || spawnSync('lsattr', ['-d', directory]).status !== 0)(
  'on ext4 its directories are spread over the disk',
  async () => {
    const path = join(directory, 'spread');
    await makeSpreadDirectory(path, 0o700);
    expect(attributes(path)).toContain('T');
    expect(attributes(directory)).not.toContain('T');
  },
);
