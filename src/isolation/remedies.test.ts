import { describe, expect, it } from 'vitest';
import { climbsFrom, type HostFacts } from './remedies.ts';

const all = [
  'native_shim',
  'no_new_privs',
  'capabilities',
  'seccomp',
  'cgroup.kill',
  'cgroup.pids',
  'cgroup.memory',
  'namespace.user',
  'namespace.pid',
  'runtime.bwrap',
  'runtime.unshare',
  'runtime.runc',
  'runtime.crun',
  'reachable',
];
const debian: HostFacts = { uid: 0, installer: 'apt-get install -y', sysctls: new Map(), hasCompiler: true };

/** A host on which everything works but what is named. */
function lacking(evidence: { readonly [probe: string]: string }) {
  return new Map(
    all.map((name) => [name, { ok: evidence[name] === undefined, errno: '', evidence: evidence[name] ?? '' }]),
  );
}

const commands = (
  evidence: { readonly [probe: string]: string },
  reached: 'none' | 'process' | 'sandbox',
  facts = debian,
) =>
  climbsFrom(reached, lacking(evidence), facts).map(({ rung, remedies }) => [
    rung,
    ...remedies.map(({ command }) => command),
  ]);

describe('the way up', () => {
  it('is nothing where the host has everything', () => {
    expect(commands({}, 'sandbox')).toEqual([]);
  });

  it('is the one package that is missing', () => {
    const none = { 'runtime.runc': 'runc is not installed', 'runtime.crun': 'crun is not installed' };
    expect(commands(none, 'sandbox')).toEqual([['container', 'apt-get install -y runc']]);
  });

  it('takes the shortest of several ways, and counts one command once', () => {
    const evidence = {
      'runtime.bwrap': 'no',
      'runtime.unshare': 'no',
      'namespace.user': 'EPERM',
      'runtime.crun': 'broken',
    };
    const closed = { ...debian, sysctls: new Map([['user.max_user_namespaces', '0']]) };
    expect(commands({ ...evidence, 'runtime.runc': 'no' }, 'process', closed)).toEqual([
      ['sandbox', 'sysctl -w user.max_user_namespaces=31138'],
      ['container', 'sysctl -w user.max_user_namespaces=31138'],
    ]);
  });

  it('is to open the directory that tasks cannot pass', () => {
    const evidence = {
      reachable: '/root lets other users not pass: chmod o+x /root, or another data_dir',
      'runtime.runc': 'permission denied',
      'runtime.crun': 'permission denied',
    };
    expect(commands(evidence, 'process')[0]).toEqual(['sandbox', 'chmod o+x /root']);
  });

  it('builds what was not built, with a compiler where none is here', () => {
    const evidence = { seccomp: 'the verifier is not built' };
    expect(commands(evidence, 'process')[0]).toEqual(['sandbox', 'npm run build']);
    expect(commands(evidence, 'process', { ...debian, uid: 1000, hasCompiler: false })[0]).toEqual([
      'sandbox',
      'sudo apt-get install -y gcc libc6-dev && npm run build',
    ]);
  });
});
