import { describe, expect, it } from 'vitest';
import { climbsFrom, disabledControllers, type HostFacts, legacyGroups, unmountedHierarchies } from './remedies.ts';

const all = [
  'native_shim',
  'no_new_privs',
  'capabilities',
  'seccomp',
  'cgroup.kill',
  'cgroup.pids',
  'cgroup.memory',
  'cgroup.cpu',
  'namespace.user',
  'namespace.pid',
  'runtime.bwrap',
  'runtime.unshare',
  'runtime.runc',
  'runtime.crun',
  'reachable',
  'subordinate_ids',
];
const debian: HostFacts = {
  uid: 0,
  installer: 'apt-get install -y',
  sysctls: new Map(),
  hasCompiler: true,
  unmounted: [],
  cgroupRoot: true,
  disabled: [],
  innerRoot: false,
  subordinates: { user: 'ann', uid: 1000, uids: '', gids: '', hasProgram: true },
  moreProcesses: 'echo max >/sys/fs/cgroup/pids/agent/pids.max',
  legacyGroups: [],
};

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

  it('is room for processes where a probe could start none, whatever else seems to be missing', () => {
    const starved = { 'runtime.bwrap': 'spawn /usr/bin/bwrap EAGAIN', 'runtime.runc': 'runc is not installed' };
    expect(commands(starved, 'process')).toEqual(
      ['sandbox', 'container'].map((rung) => [rung, 'echo max >/sys/fs/cgroup/pids/agent/pids.max']),
    );
  });

  it('is the one package that is missing', () => {
    const none = { 'runtime.runc': 'runc is not installed', 'runtime.crun': 'crun is not installed' };
    expect(commands(none, 'sandbox')).toEqual([['container', 'apt-get install -y runc']]);
  });

  it('mounts the control groups that neither the agent nor a runtime finds, in one command', () => {
    const none = 'no cgroup file system is mounted';
    const evidence = {
      'cgroup.memory': none,
      'cgroup.pids': none,
      'cgroup.kill': none,
      'runtime.runc': 'runc run failed: no cgroup mount found in mountinfo',
      'runtime.crun': 'crun is not installed',
    };
    expect(commands(evidence, 'sandbox')).toEqual([['container', 'mount -t cgroup2 none /sys/fs/cgroup']]);
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

  describe('of an agent without root', () => {
    const runtimes = { 'runtime.runc': 'needs root: …', 'runtime.crun': 'needs root: …' };
    const rootless = { ...debian, uid: 1000 };
    const noIds = { ...runtimes, subordinate_ids: 'no line matching user "ann" in /etc/subuid' };

    it('is ids of its own, where it has control groups: the lowest that nobody has', () => {
      expect(commands(noIds, 'sandbox', rootless)).toEqual([
        ['container', 'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann'],
      ]);
      const uids = 'eve:100000:65536\nbob:300000:65536\n';
      const taken = { ...rootless, subordinates: { ...rootless.subordinates, uids, gids: 'eve:150000:65536\n' } };
      expect(commands(noIds, 'sandbox', taken)).toEqual([
        ['container', 'sudo usermod --add-subuids 215536-281071 --add-subgids 215536-281071 ann'],
      ]);
    });

    it('puts a range that is large enough in place of one that is not, and installs what maps it', () => {
      const few = { uids: 'ann:100000:500\n', gids: '1000:100000:500\n', hasProgram: false };
      const [[, command] = []] = commands(noIds, 'sandbox', {
        ...rootless,
        subordinates: { ...rootless.subordinates, ...few },
      });
      expect(command).toBe(
        'sudo apt-get install -y uidmap && sudo usermod --del-subuids 100000-100499 --del-subgids 100000-100499 --add-subuids 100500-166035 --add-subgids 100500-166035 ann',
      );
    });

    it('gives a name to a user that has none', () => {
      const [[, command] = []] = commands(noIds, 'sandbox', {
        ...rootless,
        subordinates: { ...rootless.subordinates, user: '' },
      });
      expect(command).toMatch(
        /^sudo useradd --uid 1000 --no-create-home drover && sudo usermod --add-subuids .* drover$/,
      );
    });

    it('is control groups, where it has ids; the shorter way, as root, where it has neither', () => {
      const noGroups = { ...runtimes, 'cgroup.memory': 'EACCES', 'cgroup.pids': 'EACCES' };
      expect(commands(noGroups, 'sandbox', rootless)).toEqual([['container', expect.stringContaining('Delegate=yes')]]);
      const mounts =
        '39 31 0:36 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 31 0:37 / /sys/fs/cgroup/misc rw - cgroup cgroup rw,misc\n';
      expect(commands(noGroups, 'sandbox', { ...rootless, legacyGroups: legacyGroups(mounts) })).toEqual([
        ['container', expect.stringMatching(/^sudo sh -c 'for d in \/sys\/fs\/cgroup\/memory; do .*' sh \$\$$/)],
      ]);
      expect(commands({ ...noIds, ...noGroups }, 'sandbox', rootless)).toEqual([
        ['container', 'run the agent as root'],
      ]);
    });
  });

  it('is to open the directory that tasks cannot pass', () => {
    const evidence = {
      reachable: '/root lets other users not pass: chmod o+x /root, or another data_dir',
      'runtime.runc': 'permission denied',
      'runtime.crun': 'permission denied',
    };
    expect(commands(evidence, 'process')[0]).toEqual(['sandbox', 'chmod o+x /root']);
  });

  it('mounts hierarchies that the kernel has and nobody mounted, together what is one', () => {
    const cgroups =
      '#subsys_name\thierarchy\ncpu\t1\t19\t1\ncpuacct\t1\t19\t1\nmemory\t4\t3\t1\npids\t8\t2\t1\nhugetlb\t0\t1\t1\n';
    const mounts = '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n';
    const unmounted = unmountedHierarchies(cgroups, mounts);
    expect(unmounted).toEqual(['cpu,cpuacct', 'memory']);
    const evidence = { 'cgroup.memory': 'no memory controller' };
    const [[, command] = []] = commands(evidence, 'sandbox', { ...debian, unmounted });
    expect(command).toMatch(/^for c in cpu,cpuacct memory; do mkdir -p .* && mount -t cgroup -o \$c none/);
    const [[, bare] = []] = commands(evidence, 'sandbox', { ...debian, unmounted, cgroupRoot: false });
    expect(bare).toMatch(/^mount -t tmpfs none \/sys\/fs\/cgroup && for c in/);
  });

  it('boots with the controllers that the kernel was told to leave out', () => {
    const disabled = disabledControllers('root=/dev/vda1 quiet cgroup_disable=memory,rdma\n');
    expect(disabled).toEqual(['memory', 'rdma']);
    const [[, command] = []] = commands({ 'cgroup.memory': 'no memory controller' }, 'sandbox', {
      ...debian,
      disabled,
    });
    expect(command).toMatch(/^take cgroup_disable=memory off the kernel's command line/);
  });

  it('has controllers handed down that groups above keep', () => {
    const [[, memory, pids] = []] = commands({ 'cgroup.memory': 'no', 'cgroup.pids': 'no' }, 'sandbox');
    expect([memory, pids]).toEqual([
      expect.stringMatching(/^have \+memory handed/),
      expect.stringMatching(/^have \+pids/),
    ]);
  });

  it('leads out of a user namespace, whose root may not set rules of devices', () => {
    const evidence = { 'namespace.net': 'no space left', 'runtime.runc': 'no space left', 'runtime.crun': 'no' };
    const inner = { ...debian, innerRoot: true, sysctls: new Map([['user.max_net_namespaces', '0']]) };
    expect(commands(evidence, 'sandbox', inner)).toEqual([
      ['container', "run the agent in the host's own user namespace"],
    ]);
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
