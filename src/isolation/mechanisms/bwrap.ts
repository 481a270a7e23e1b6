/** bubblewrap, run as a task would run it: under a uid of its own, with every namespace, a pivoted root and a private /proc and /dev. */
import { readlink } from 'node:fs/promises';
import { type ChildOptions, type ProbeResult, probe, runChild } from './probe.ts';

const look =
  'readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/ipc /proc/self/ns/uts; ls /proc/self/root';

export interface FoundBwrap {
  /** Absolute. */
  readonly program: string;
  readonly version: string;
}

export async function findBwrap(): Promise<FoundBwrap | null> {
  const where = await runChild(['sh', '-c', 'command -v bwrap && bwrap --version']);
  const [program = '', version = ''] = where.stdout.split('\n');
  return where.code === 0 && program.startsWith('/')
    ? { program, version: version.replace(/^bubblewrap\s+/, '') }
    : null;
}

export function bwrapProbe(found: FoundBwrap | null, as: ChildOptions): Promise<ProbeResult> {
  return probe('runtime.bwrap', async () => {
    if (found === null) return { ok: false, evidence: 'bwrap is not installed' };
    const view = [
      '--ro-bind',
      '/usr',
      '/usr',
      '--symlink',
      'usr/bin',
      '/bin',
      '--symlink',
      'usr/lib',
      '/lib',
      '--symlink',
      'usr/lib64',
      '/lib64',
    ];
    const unshare = [
      '--unshare-user',
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      '--uid',
      '65534',
      '--gid',
      '65534',
    ];
    const done = await runChild(
      [
        found.program,
        ...unshare,
        ...view,
        '--tmpfs',
        '/run',
        '--proc',
        '/proc',
        '--dev',
        '/dev',
        '/bin/sh',
        '-c',
        look,
      ],
      as,
    );
    if (done.code !== 0) return { ok: false, evidence: done.stderr || `exit code ${done.code}` };
    const links = done.stdout.split('\n').filter((line) => /^\w+:\[\d+\]$/.test(line));
    for (const link of links) {
      const kind = link.slice(0, link.indexOf(':'));
      if ((await readlink(`/proc/self/ns/${kind}`)) === link)
        return { ok: false, evidence: `the ${kind} namespace is the host's` };
    }
    return { ok: links.length === 5, evidence: `bwrap ${found.version}: ${links.length} namespaces` };
  });
}
