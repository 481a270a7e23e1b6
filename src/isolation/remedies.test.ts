import { describe, expect, it } from 'vitest';
import { disabledControllers, legacyGroups, unmountedHierarchies } from './group-remedies.ts';
import { installerOf } from './installers.ts';
import { climbsFrom, type HostFacts } from './remedies.ts';
import { coversProc } from './start-remedies.ts';

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
  'start',
];
const debian: HostFacts = {
  uid: 0,
  installer: installerOf('ID=debian'),
  sysctls: new Map(),
  hasCompiler: true,
  unmounted: [],
  cgroupPlace: true,
  cgroupRoot: true,
  disabled: [],
  innerRoot: false,
  subordinates: { user: 'ann', uid: 1000, gid: 1000, uids: '', gids: '', hasProgram: true },
  buildScript: '/src/drover/scripts/build-native.mjs',
  moreProcesses: { kind: 'more_processes_of_group', command: 'echo max >/sys/fs/cgroup/pids/agent/pids.max' },
  legacyGroups: [],
  readOnlyGroups: false,
  systemd: true,
  userManager: [],
  runtimeDirectory: true,
  restoreMapper: '',
  noNewPrivs: false,
  lacksCapabilities: [],
  openFiles: null,
  fileBytes: null,
  unfitDevices: [],
  makesDevices: true,
  proc: 'whole',
  mountsProc: true,
  room: { path: '/data', kib: 0, files: 0 },
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

  it.each([
    ['ID=fedora', 'dnf install -y', 'shadow-utils', 'gcc glibc-static'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', 'dnf install -y', 'shadow-utils', 'gcc glibc-static'],
    ['ID=alpine', 'apk add', 'shadow shadow-uidmap', 'gcc musl-dev linux-headers'],
    ['ID=manjaro\nID_LIKE=arch', 'pacman -S --noconfirm', 'shadow', 'gcc'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"', 'zypper install -y', 'shadow', 'gcc glibc-devel-static'],
    ['ID=ubuntu\nID_LIKE=debian', 'apt-get install -y', 'uidmap', 'gcc libc6-dev'],
    ['ID=nixos', 'install', 'uidmap', 'gcc'],
  ])('is said as %j has it', (release, command, newuidmap, compiler) => {
    const host = { ...debian, installer: installerOf(release) };
    const sudo = command === 'install' ? '' : 'sudo ';
    const none = { 'runtime.bwrap': 'bwrap is not installed', 'runtime.unshare': 'no' };
    const runtimes = { 'runtime.runc': 'no', 'runtime.crun': 'no' };
    expect(commands({ ...none, ...runtimes }, 'process', host)[0]).toEqual(['sandbox', `${command} bubblewrap`]);
    expect(commands({ seccomp: 'not built' }, 'process', { ...host, hasCompiler: false })[0]?.[1]).toBe(
      `${command} ${compiler} && node ${debian.buildScript}`,
    );
    const rootless = { ...host, uid: 1000, subordinates: { ...debian.subordinates, hasProgram: false } };
    const noIds = { 'runtime.runc': 'needs root: …', 'runtime.crun': 'needs root: …', subordinate_ids: 'no' };
    expect(commands(noIds, 'sandbox', rootless)[0]?.[1]).toMatch(`${sudo}${command} ${newuidmap} && sudo usermod`);
  });

  it('is the OCI runtime that the distribution still has, and the one that holds', () => {
    const none = { 'runtime.runc': 'runc is not installed', 'runtime.crun': 'crun is not installed' };
    const fedora = { ...debian, installer: installerOf('ID=fedora') };
    expect(commands(none, 'sandbox', fedora)).toEqual([['container', 'dnf install -y crun']]);
    const legacy = { ...fedora, legacyGroups: ['/sys/fs/cgroup/memory'] };
    expect(commands(none, 'sandbox', legacy)).toEqual([['container', 'dnf install -y runc']]);
  });

  it('opens the directory below which no task could start', () => {
    const reachable =
      '/d lets other users not pass and cannot be covered: chmod o+x /d, or another data_dir (no such device)';
    const evidence = { reachable, start: `the task cannot get to its directory: ${reachable}` };
    expect(commands(evidence, 'none').at(0)).toEqual(['process', 'chmod o+x /d']);
  });

  it('is rather a program that is missing than one that is broken', () => {
    const evidence = { 'runtime.runc': 'exit 1', 'runtime.crun': 'crun is not installed' };
    expect(commands(evidence, 'sandbox')).toEqual([['container', 'apt-get install -y crun']]);
    const legacy = { ...debian, legacyGroups: ['/sys/fs/cgroup/memory'] };
    expect(commands(evidence, 'sandbox', legacy)).toEqual([['container', 'make it work: exit 1']]);
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

  it('asks for root where the agent has none', () => {
    const rootless = { ...debian, uid: 1000 };
    const closed = { ...rootless, sysctls: new Map([['user.max_user_namespaces', '0']]) };
    const none = { 'runtime.bwrap': 'no', 'runtime.unshare': 'no', 'runtime.runc': 'no', 'runtime.crun': 'no' };
    const noUsers = { ...none, 'namespace.user': 'no space left' };
    expect(commands(noUsers, 'process', closed)[0]?.[1]).toBe('sudo sysctl -w user.max_user_namespaces=31138');
    const evidence = { 'runtime.runc': 'needs root: …', 'runtime.crun': 'needs root: …', 'cgroup.memory': 'EACCES' };
    const readOnly = { ...rootless, readOnlyGroups: true };
    expect(commands(evidence, 'sandbox', readOnly)[0]?.[1]).toMatch(/^sudo sh -c 'for d in .*' && sudo systemd-run/);
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
        [
          'sudo apt-get install -y uidmap',
          "sudo sed -i -e '/^ann:/d' -e '/^1000:/d' /etc/subuid /etc/subgid",
          'sudo usermod --add-subuids 100500-166035 --add-subgids 100500-166035 ann',
        ].join(' && '),
      );
    });

    it('gives a name to a user that has none', () => {
      const [[, command] = []] = commands(noIds, 'sandbox', {
        ...rootless,
        subordinates: { ...rootless.subordinates, user: '' },
      });
      expect(command).toMatch(
        /^sudo sh -c 'getent group 1000 .* groupadd --gid 1000 drover' && sudo useradd --uid 1000 --gid 1000 --no-create-home drover && sudo usermod --add-subuids .* drover$/,
      );
    });

    it('is control groups, where it has ids; the shorter way, as root, where it has neither', () => {
      const noGroups = { ...runtimes, 'cgroup.memory': 'EACCES', 'cgroup.pids': 'EACCES' };
      const given = (facts: Partial<HostFacts>) => commands(noGroups, 'sandbox', { ...rootless, ...facts })[0]?.[1];
      const bySystem = 'sudo systemd-run --uid=1000 -p Delegate=yes -p KillMode=process drover agent …';
      const byUser = 'systemd-run --user --scope -p Delegate=yes drover agent …';
      const controllers = ['memory', 'pids'];
      expect(given({})).toBe(bySystem);
      // that of Debian 11 keeps the processor to itself
      expect(given({ userManager: controllers })).toBe(bySystem);
      expect(given({ userManager: ['cpu', ...controllers] })).toBe(byUser);
      expect(given({ userManager: ['cpu', ...controllers], runtimeDirectory: false })).toBe(
        `XDG_RUNTIME_DIR=/run/user/1000 ${byUser}`,
      );
      expect(given({ systemd: false })).toMatch(
        /^sudo sh -c 'd=\/sys\/fs\/cgroup; .*' sh \$\$ && exec drover agent …$/,
      );
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

  it('mounts what hierarchies are mounted below first', () => {
    const evidence = { 'cgroup.memory': 'no cgroup file system is mounted' };
    expect(commands(evidence, 'sandbox', { ...debian, cgroupPlace: false })).toEqual([
      ['container', 'mount -t sysfs none /sys && mount -t cgroup2 none /sys/fs/cgroup'],
    ]);
  });

  it('is rights first for root in a container, then what they are good for', () => {
    const refused = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted";
    const evidence = {
      'namespace.pid': 'its root lacks CAP_SYS_ADMIN',
      'cgroup.kill': 'EROFS: /sys/fs/cgroup/cpu',
      'cgroup.memory': 'EROFS: /sys/fs/cgroup/cpu',
      'runtime.bwrap': refused,
      'runtime.unshare': refused,
      'runtime.runc': 'unable to apply cgroup configuration: read-only file system',
      'runtime.crun': 'no such file',
    };
    const lacksCapabilities = ['SYS_ADMIN', 'SYS_PTRACE'];
    const inside = { ...debian, proc: 'covered', mountsProc: false, lacksCapabilities } as const;
    const rights = expect.stringMatching(/^run the agent with what it lacks of root's capabilities: SYS_ADMIN SYS_PTR/);
    const uncovered = expect.stringMatching(/^run the agent where nothing covers \/proc/);
    const writable = expect.stringMatching(/mount -o remount,bind,rw/);
    expect(commands(evidence, 'none', inside)).toEqual([
      ['process', rights],
      ['sandbox', rights, uncovered],
      ['container', rights, uncovered, writable],
    ]);
    const given = { ...inside, lacksCapabilities: [], mountsProc: true };
    expect(commands(evidence, 'process', given)[0]).toEqual(['sandbox', 'mount -t proc none /proc']);
  });

  it('is devices that are missing, whatever it was that met it', () => {
    const unfitDevices = [{ path: '/dev/zero', major: 1, minor: 5, is: 'missing' }] as const;
    const evidence = {
      'runtime.bwrap': "bwrap: Can't bind mount /oldroot/dev/zero: No such file",
      'runtime.unshare': 'no',
    };
    const runtimes = { 'runtime.runc': 'runc is not installed', 'runtime.crun': 'crun is not installed' };
    const all = { ...evidence, ...runtimes };
    const make = 'mknod -m 666 /dev/zero c 1 5';
    expect(commands(all, 'process', { ...debian, unfitDevices })).toEqual([
      ['sandbox', make],
      ['container', make, 'apt-get install -y runc'],
    ]);
    expect(commands(all, 'process', { ...debian, unfitDevices, uid: 1000 })[0]?.[1]).toBe(`sudo sh -c '${make}'`);
    expect(commands(all, 'process', { ...debian, unfitDevices, makesDevices: false })[0]?.[1]).toMatch(
      /^run the agent with what it lacks of root's capabilities: MKNOD/,
    );
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
    const start = 'bwrap: Creating new namespace failed: /proc/sys/user/max_*_namespaces exceeded (ENOSPC)';
    expect(commands({ ...evidence, start }, 'sandbox', inner)).toEqual([
      ['container', "run the agent in the host's own user namespace"],
    ]);
  });

  it('builds what was not built, with a compiler where none is here', () => {
    const evidence = { seccomp: 'the verifier is not built' };
    expect(commands(evidence, 'process')[0]).toEqual(['sandbox', 'node /src/drover/scripts/build-native.mjs']);
    expect(commands(evidence, 'process', { ...debian, uid: 1000, hasCompiler: false })[0]).toEqual([
      'sandbox',
      'sudo apt-get install -y gcc libc6-dev && node /src/drover/scripts/build-native.mjs',
    ]);
    expect(commands(evidence, 'process', { ...debian, buildScript: null })[0]?.[1]).toMatch(
      /npm run build in a checkout$/,
    );
  });
});

it('sees what covers /proc, and nothing in what belongs there', () => {
  const proc = '22 27 0:21 / /proc rw,relatime - proc proc rw\n';
  const registry = '48 22 0:40 / /proc/sys/fs/binfmt_misc rw - binfmt_misc none rw\n';
  expect(coversProc(proc + registry)).toBe(false);
  expect(coversProc(`${proc}49 22 0:21 /sys /proc/sys ro - proc proc rw\n`)).toBe(true);
  expect(coversProc('22 27 0:21 / /proc rw,relatime - proc proc rw,subset=pid\n')).toBe(true);
});
