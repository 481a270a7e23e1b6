/** Each cgroup controller in the hierarchy where it lives: a limit is written, a child put in, and the effect seen. */
import { join } from 'node:path';
import type { CgroupHost } from '../cgroup/hierarchy.ts';
import { describeTaskCgroup, killDirectories, makeTaskCgroup, removeTaskCgroup } from '../cgroup/task-cgroup.ts';
import { type ProbeResult, probe, runChild } from './probe.ts';

const limits = { memoryBytes: 64 * 1024 * 1024, memoryLowBytes: null, cpuShares: 100, pids: 3, cpusetCpus: '' };

/** `cgroup.pids` (the fourth process is refused), `cgroup.memory` (more than 64 MiB is killed), `cgroup.cpu`, `cgroup.kill`. */
export async function cgroupProbes(host: CgroupHost): Promise<readonly ProbeResult[]> {
  const group = describeTaskCgroup(host, `probe-${process.pid}`, false);
  const directory = (controller: string): string | undefined =>
    group.directories.find((each) => each.controllers.includes(controller))?.path;
  const why = host.reason || 'no such controller here';
  const made = makeTaskCgroup(group, limits).then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const inside = async (path: string, script: string) =>
    runChild(['sh', '-c', `echo $$ > ${join(path, 'cgroup.procs')} || exit 99; ${script}`]);
  const one = (name: string, controller: string, look: (path: string) => Promise<{ ok: boolean; evidence: string }>) =>
    probe(name, async () => {
      const path = directory(controller);
      const failed = await made;
      if (failed !== '') return { ok: false, evidence: failed };
      return path === undefined ? { ok: false, evidence: why } : look(path);
    });
  try {
    return await Promise.all([
      one('cgroup.pids', 'pids', async (path) => {
        const done = await inside(path, '(sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & wait) 2>&1');
        const refused = /fork|temporarily unavailable/i.test(done.stdout + done.stderr);
        return {
          ok: refused,
          evidence: refused ? 'the process beyond the limit was refused' : `not refused: ${done.stdout}${done.stderr}`,
        };
      }),
      one('cgroup.memory', 'memory', async (path) => {
        const done = await inside(path, 'exec tail /dev/zero');
        return {
          ok: done.code === null,
          evidence: done.code === null ? 'killed beyond the limit' : `exit code ${done.code}: ${done.stderr}`,
        };
      }),
      one('cgroup.cpu', 'cpu', async (path) => ({ ok: true, evidence: path })),
      probe('cgroup.kill', async () => {
        const paths = killDirectories(group);
        return { ok: paths.length > 0 && (await made) === '', evidence: paths.join(', ') || why };
      }),
    ]);
  } finally {
    await removeTaskCgroup(group);
  }
}
