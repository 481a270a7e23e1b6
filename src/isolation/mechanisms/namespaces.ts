/** Each kind of namespace, really made by a child, and seen to differ from the agent's. */
import { readlink } from 'node:fs/promises';
import { agentHolds } from '../capabilities.ts';
import { type ChildOptions, type ProbeResult, probe, runChild } from './probe.ts';

const kinds = [
  ['pid', '--pid', 'pid'],
  ['mnt', '--mount', 'mnt'],
  ['net', '--net', 'net'],
  ['ipc', '--ipc', 'ipc'],
  ['uts', '--uts', 'uts'],
  ['cgroup', '--cgroup', 'cgroup'],
  ['time', '--time', 'time'],
] as const;

/** As the ids a task will have: what root may do says nothing about a task that is not root. */
export function namespaceProbes(as: ChildOptions): readonly Promise<ProbeResult>[] {
  const user = probe('namespace.user', async () => {
    const done = await runChild(['unshare', '--user', '--map-root-user', 'cat', '/proc/self/uid_map'], as);
    const mapped = /^\s*0\s+\d+\s+1\s*$/.test(done.stdout);
    return {
      ok: done.code === 0 && mapped,
      evidence: mapped ? `uid_map ${done.stdout.trim().replace(/\s+/g, ' ')}` : done.stderr,
    };
  });
  const others = kinds.map(([kind, flag, link]) =>
    probe(`namespace.${kind}`, async () => {
      // a task is ended as one with a pid namespace that its supervisor makes, in no user namespace
      if (kind === 'pid' && as.uid !== undefined && !agentHolds('SYS_ADMIN'))
        return { ok: false, evidence: 'its root lacks CAP_SYS_ADMIN' };
      const own = await readlink(`/proc/self/ns/${kind}`);
      // new ones of these are only for children
      const fork = kind === 'pid' || kind === 'time' ? ['--fork'] : [];
      const done = await runChild(
        [
          'unshare',
          '--user',
          '--map-root-user',
          flag,
          ...fork,
          'sh',
          '-c',
          `echo $$; exec readlink /proc/self/ns/${link}`,
        ],
        as,
      );
      const [pid, theirs = ''] = done.stdout.split('\n');
      const made = done.code === 0 && theirs !== '' && theirs !== own;
      // a process that is not the first of its namespace does not end the others with it
      if (made && kind === 'pid' && pid !== '1') return { ok: false, evidence: `${theirs}, in which it is ${pid}` };
      return { ok: made, evidence: made ? theirs : done.stderr || `still ${own}` };
    }),
  );
  return [user, ...others];
}
