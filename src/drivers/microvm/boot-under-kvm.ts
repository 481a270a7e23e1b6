/** Whether the node's kernel for machines boots under KVM: a guest of a few bytes may run where a kernel does not. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KvmProof } from '../qemu/emulators.ts';
import { trialSeconds, tryMachine } from '../qemu/trial-machine.ts';
import { makeInitrd } from './kernels.ts';
import { program, trialArguments } from './machine.ts';

/** Boots it to the end of a machine that has nothing to do; takes `trialSeconds` where it hangs. */
export async function bootUnderKvm(kernel: string, signal: AbortSignal): Promise<KvmProof> {
  const directory = await mkdtemp(join(tmpdir(), 'drover-microvm-'));
  const from = performance.now();
  try {
    const initrd = join(directory, 'initrd');
    await writeFile(initrd, await makeInitrd(kernel));
    const { code, stderr } = await tryMachine(program, trialArguments(kernel, initrd), signal);
    if (code === 0) return { ok: true, evidence: `${kernel} booted in ${Math.round(performance.now() - from)} ms` };
    const why = code === null ? `did not boot within ${trialSeconds} s` : `did not boot: ${stderr}`;
    return { ok: false, evidence: `${kernel} ${why}` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
