/** Whether the node's kernel for machines boots under KVM: a guest of a few bytes may run where a kernel does not. */
import { type KvmProof, noKvm } from '../qemu/emulators.ts';
import { trialImage, trialSeconds, tryMachine } from '../qemu/trial-machine.ts';
import { makeInitrd } from './kernels.ts';
import { program, trialArguments } from './machine.ts';

/** Boots it to the end of a machine that has nothing to do; takes `trialSeconds` where it hangs. */
export async function bootUnderKvm(kernel: string, cpu: string, signal: AbortSignal): Promise<KvmProof> {
  const from = performance.now();
  const args = trialArguments(kernel, trialImage, cpu);
  const { code, stderr } = await tryMachine(program, args, await makeInitrd(kernel), signal);
  const ms = Math.round(performance.now() - from);
  if (code === 0) return { ok: true, evidence: `${kernel} booted in ${ms} ms`, cpu };
  return noKvm(`${kernel} ${code === null ? `did not boot within ${trialSeconds} s` : `did not boot: ${stderr}`}`);
}
