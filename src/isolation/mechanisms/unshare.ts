/** The sandbox of util-linux, made as a task's would be, under a uid as tasks have. */
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';
import { unshareCommand } from '../launch/unshare.ts';
import { throughPassage } from '../passage.ts';
import { type ChildOptions, type ProbeResult, probe, runChild } from './probe.ts';

/** The directory above may be closed to that uid: then as a start reaches it, which root has to do first. */
function asOther(root: string, command: readonly string[], as: ChildOptions) {
  if (as.uid === undefined) return runChild(command);
  const drop = ['setpriv', `--reuid=${as.uid}`, `--regid=${as.gid ?? as.uid}`, '--clear-groups', ...command];
  return runChild(throughPassage(root, drop));
}

/** `taskRoot`: where allocations' directories are. */
export function unshareProbe(taskRoot: string, as: ChildOptions): Promise<ProbeResult> {
  return probe('runtime.unshare', async () => {
    const version = await runChild(['unshare', '--version']);
    if (version.code !== 0) return { ok: false, evidence: 'unshare is not installed' };
    makeDirectories(taskRoot, 0o711);
    const root = await mkdtemp(join(taskRoot, '.probe-'));
    try {
      if (as.uid !== undefined) await chown(root, as.uid, as.gid ?? as.uid);
      const steps = [
        ...['/usr', '/bin', '/lib', '/lib64'].map((path) => ({ kind: 'ro', from: path, to: path }) as const),
        { kind: 'tmp', from: '64k', to: '/run' },
        { kind: 'proc', from: '', to: '/proc' },
        { kind: 'dev', from: '64k', to: '/dev' },
        { kind: 'queues', from: '', to: '/dev/mqueue' },
      ] as const;
      const command = unshareCommand(root, steps, ['sh', '-c', 'echo inside $$; touch /usr/x 2>&1'], {
        inside: { uid: 65_534, gid: 65_534 },
        cgroupNamespace: false,
        network: false,
        ipc: true,
        pid: true,
      });
      const done = await asOther(root, ['sh', '-c', 'exec "$@" 4>/dev/null', 'sh', ...command], as);
      const ok = done.stdout.startsWith('inside 1\n') && /read-only/i.test(done.stdout);
      return {
        ok,
        evidence: ok
          ? version.stdout.trim().replace(' from util-linux', '')
          : done.stderr || done.stdout || `exit code ${done.code}`,
      };
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
}
