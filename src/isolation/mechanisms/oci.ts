/** An OCI runtime, run for real: a bundle of a directory, one process, removed again. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProbeResult, probe, runChild } from './probe.ts';

export const ociRuntimes = ['crun', 'runc'] as const;
export type OciRuntime = (typeof ociRuntimes)[number];

/** `cgroupParent`: under it the runtime makes, and removes, its group. */
export function ociProbe(runtime: OciRuntime, cgroupParent: string): Promise<ProbeResult> {
  return probe(`runtime.${runtime}`, async () => {
    if (process.geteuid?.() !== 0) return { ok: false, evidence: 'needs root here' };
    const found = await runChild([runtime, '--version']);
    if (found.code !== 0) return { ok: false, evidence: `${runtime} is not installed` };
    const bundle = await mkdtemp(join(tmpdir(), 'drover-probe-'));
    const id = `drover-probe-${process.pid}-${runtime}`;
    const tool = [runtime, '--root', join(bundle, 'state')];
    try {
      await mkdir(join(bundle, 'rootfs'));
      await writeFile(join(bundle, 'config.json'), JSON.stringify(probeConfig(`/${cgroupParent}/${id}`)));
      const done = await runChild([...tool, 'run', '--bundle', bundle, id], { timeoutMs: 10_000 });
      const [version = ''] = found.stdout.split('\n');
      const ran = done.code === 0 && done.stdout.includes('inside 1');
      return { ok: ran, evidence: ran ? version : done.stderr || `exit code ${done.code}` };
    } finally {
      await runChild([...tool, 'delete', '--force', id]);
      await rm(bundle, { recursive: true, force: true });
    }
  });
}

function probeConfig(cgroupsPath: string): unknown {
  const bind = (path: string): unknown => ({ source: path, destination: path, type: 'bind', options: ['rbind', 'ro'] });
  const empty = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 65_534, gid: 65_534 },
      args: ['/bin/sh', '-c', 'echo inside $$'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      capabilities: empty,
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...['/usr', '/bin', '/lib', '/lib64'].map(bind)],
    linux: { namespaces: ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup'].map((type) => ({ type })), cgroupsPath },
  };
}
