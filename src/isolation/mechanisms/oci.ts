/** An OCI runtime, run for real: a container where tasks live, with the ids tasks get, one process in it, removed again. */
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';
import type { CgroupHost } from '../cgroup/hierarchy.ts';
import { describeTaskCgroup, rareControllers, removeTaskCgroup } from '../cgroup/task-cgroup.ts';
import { throughPassage } from '../passage.ts';
import { type ProbeResult, probe, runChild } from './probe.ts';

export const ociRuntimes = ['crun', 'runc'] as const;
export type OciRuntime = (typeof ociRuntimes)[number];

export interface OciProbeOptions {
  /** In their parent the runtime makes its group, which it leaves there where it is ended in between. */
  readonly cgroups: CgroupHost;
  /** Where allocations' directories are. */
  readonly taskRoot: string;
  /** The probe's own uid. */
  readonly uid: number;
}

export function ociProbe(runtime: OciRuntime, options: OciProbeOptions): Promise<ProbeResult> {
  return probe(`runtime.${runtime}`, async () => {
    const found = await runChild([runtime, '--version']);
    if (found.code !== 0) return { ok: false, evidence: `${runtime} is not installed` };
    // a runtime runs without root, but what it makes then is no more than a sandbox: nobody else can load rules of devices or map ids apart
    if (process.geteuid?.() !== 0)
      return { ok: false, evidence: 'needs root: only root can rule devices and give each task ids of its own' };
    makeDirectories(options.taskRoot, 0o711);
    const bundle = await mkdtemp(join(options.taskRoot, '.probe-'));
    await chmod(bundle, 0o711);
    const id = `drover-probe-${process.pid}-${runtime}`;
    const tool = [runtime, '--root', join(bundle, 'state')];
    try {
      await mkdir(join(bundle, 'rootfs'));
      await chown(join(bundle, 'rootfs'), options.uid, options.uid);
      await writeFile(
        join(bundle, 'config.json'),
        JSON.stringify(probeConfig(`/${options.cgroups.parentName}/${id}`, options.uid)),
      );
      const run = throughPassage(bundle, [...tool, 'run', '--bundle', bundle, id]);
      // crun gives its streams to the container's user: not the host's /dev/null
      const done = await runChild(run, { timeoutMs: 20_000, input: '' });
      const [version = ''] = found.stdout.split('\n');
      const ran = done.code === 0 && done.stdout.includes('inside 1');
      return { ok: ran, evidence: ran ? version : lastLine(done.stderr) || `exit code ${done.code}` };
    } finally {
      await runChild([...tool, 'delete', '--force', id]);
      await removeTaskCgroup(describeTaskCgroup(options.cgroups, id, rareControllers));
      await rm(bundle, { recursive: true, force: true });
    }
  });
}

/** Runtimes log a line for each layer that failed; the last has the whole chain, some as `msg="…"`. One that breaks says why first. */
function lastLine(text: string): string {
  const [broke] = /^(panic|fatal error): .*/m.exec(text) ?? [];
  if (broke !== undefined) return broke;
  const last = text.trim().split('\n').at(-1) ?? '';
  return /msg="(.*)"$/.exec(last)?.[1] ?? last;
}

function probeConfig(cgroupsPath: string, uid: number): unknown {
  const bind = (path: string): unknown => ({
    source: path,
    destination: path,
    type: 'bind',
    options: ['rbind', 'rro'],
  });
  const empty = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  const mapping = [{ containerID: 0, hostID: uid, size: 1 }];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', 'echo inside $$'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      capabilities: empty,
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      // crun opens it
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...['/usr', '/bin', '/lib', '/lib64'].map(bind),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath,
    },
  };
}
