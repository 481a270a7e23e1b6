import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { passingProofs } from '../isolation/proofs.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';
import { plantFor } from './trial-task.ts';

let host: ScratchHost;
beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});
afterAll(() => host.close());

/** Processes of this one whose command is a canary. */
function canaries(): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const [parent] = /(?<=\) \S )\d+/.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
      return Number(parent) === process.pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('\0canary\0');
    } catch {
      return false;
    }
  });
}

test('a trial that cannot be prepared, as on a full disk, leaves no canary', async () => {
  const root = await mkdtemp(join(host.deps.isolation.taskRoot, 'trial-'));
  const made = await plantFor(host.deps.isolation, [root]);
  await made.proven;
  expect(canaries(), 'while a trial is made').toHaveLength(1);
  made.remove();
  await expect.poll(canaries).toEqual([]);

  await expect(plantFor(host.deps.isolation, [join(root, 'missing')])).rejects.toThrow('ENOENT');
  await expect.poll(canaries).toEqual([]);
});

test('a control that did not come to its end proves nothing, and is made again', async () => {
  const root = await mkdtemp(join(host.deps.isolation.taskRoot, 'trial-'));
  const verifier = join(root, 'verifier');
  const says = (last: string) =>
    `#!/bin/sh\n[ "$1" = canary ] && { echo; exec cat; }; printf 'control seccomp through - keyctl\\n${last}'\n`;
  const isolation = { ...host.deps.isolation, verifier, uids: null, proofs: passingProofs() };
  const proven = async () => {
    const made = await plantFor(isolation, [root]);
    try {
      return await made.proven;
    } finally {
      made.remove();
    }
  };
  await writeFile(verifier, says(''), { mode: 0o755 });
  expect(await proven()).toBeNull();
  await writeFile(verifier, says('control end - - -\\n'));
  expect(await proven()).toEqual(new Set(['seccomp keyctl']));
  await writeFile(verifier, says(''));
  expect(await proven(), 'what was proved is kept').toEqual(new Set(['seccomp keyctl']));
});
