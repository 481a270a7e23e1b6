/** What the kernel gives beside namespaces and control groups, each really used: Landlock, KVM, mounts that protect. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChildOptions, type ProbeAnswer, type ProbeResult, probe, runChild } from './probe.ts';

/** `verifier`: host path of the native program that tries what no shell can; null: not built. */
export function kernelProbes(verifier: string | null, as: ChildOptions): readonly Promise<ProbeResult>[] {
  return [
    probe('landlock', () => inScratch(async (directory) => tryNatively(verifier, ['landlock', directory]))),
    probe('kvm', () => tryNatively(verifier, ['kvm'])),
    probe('mounts.read_only', () => inOwnMounts(readOnly, as)),
    probe('mounts.masked', () => inOwnMounts(masked, as)),
    probe('mounts.bounded', () => inOwnMounts(bounded, as)),
  ];
}

/** `args`: one of the native program's own probes. */
export async function tryNatively(verifier: string | null, args: readonly string[]): Promise<ProbeAnswer> {
  if (verifier === null) return { ok: false, evidence: 'the verifier is not built' };
  const done = await runChild([verifier, 'probe', ...args]);
  const [, word = '', evidence = ''] = /^(ok|no) (.*)/.exec(done.stdout) ?? [];
  return { ok: word === 'ok', evidence: evidence || done.stderr || `exit code ${done.code}` };
}

async function inScratch(look: (directory: string) => Promise<ProbeAnswer>): Promise<ProbeAnswer> {
  const directory = await mkdtemp(join(tmpdir(), 'drover-probe-'));
  try {
    return await look(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Each ends with `ok` only where the protection had its effect, and what it protects from had one before. */
const readOnly = `mkdir a && echo 1 >a/f && echo 2 >a/f || exit 1
mount --bind a a && mount -o remount,bind,ro a || exit 1
if echo 3 2>/dev/null >a/f; then echo written; else echo ok a file of a read-only bind is refused; fi`;
const masked = `echo secret >f && [ "$(cat f)" = secret ] || exit 1
mount --bind /dev/null f || exit 1
if [ -s f ] || [ -n "$(cat f 2>/dev/null)" ]; then echo read; else echo ok a masked file is empty; fi`;
const bounded = `mkdir q && mount -t tmpfs -o size=1m none q && head -c 524288 /dev/zero >q/f || exit 1
if head -c 2097152 /dev/zero 2>/dev/null >q/g; then echo written; else echo ok 2 MiB do not fit into an image of 1 MiB in memory; fi`;

/** In a mount namespace made under the ids that tasks have, on a tmpfs of its own. */
async function inOwnMounts(script: string, as: ChildOptions): Promise<ProbeAnswer> {
  const here = `mount -t tmpfs none /tmp && cd /tmp && ${script}`;
  const done = await runChild(['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', here], as);
  const ok = done.stdout.startsWith('ok ');
  return { ok, evidence: ok ? done.stdout.slice(3) : done.stdout || done.stderr || `exit code ${done.code}` };
}
