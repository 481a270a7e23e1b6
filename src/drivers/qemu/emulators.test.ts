// Hosts whose KVM refuses a processor: their emulator is a script that ends as the real one did there, or becomes the real one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { programInPath } from '../../driver-kit/find-program.ts';
import { passingProofs } from '../../isolation/proofs.ts';
import { proveKvm } from './emulators.ts';

const never = new AbortController().signal;
const path = process.env['PATH'] ?? '';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-emulators-'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** What is proved where these processors end the emulator at once. */
async function proved(refused: readonly string[]) {
  const real = await programInPath('qemu-system-x86_64', path);
  const cases = refused.map((cpu) => `*" -cpu ${cpu} "*) echo "no register for ${cpu}" >&2; exit 134 ;;`);
  const script = `#!/bin/sh\ncase " $* " in\n${cases.join('\n')}\nesac\nexec ${String(real)} "$@"\n`;
  await writeFile(join(folder, 'qemu-system-x86_64'), script, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${path}`);
  return proveKvm(passingProofs(), never);
}

test('machines get the processor with which a guest booted: a register that KVM refuses costs that register, not KVM', async ({
  skip,
}) => {
  vi.stubEnv('PATH', path);
  const here = await proveKvm(passingProofs(), never);
  if (!here.ok) skip(`KVM does not work on this host: ${here.evidence}`);
  expect(await proved(['host'])).toEqual({
    ok: true,
    cpu: 'host,-arch-capabilities',
    evidence: expect.stringMatching(
      /^a guest booted in \d+ ms with -cpu host,-arch-capabilities \(host: no register for host\)$/,
    ),
  });
  expect(await proved(['host', 'host,-arch-capabilities'])).toMatchObject({ ok: true, cpu: 'qemu64' });
});

test('where no processor will do, KVM does not work, and the first reason is told', async () => {
  expect(await proved(['host', 'host,-arch-capabilities', 'qemu64'])).toEqual({
    ok: false,
    cpu: '',
    evidence: 'no register for host',
  });
});
