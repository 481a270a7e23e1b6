/**
 * Hosts that lack something, made of this one with namespaces and wrappers; nothing of the host itself is changed. What is left of the
 * ladder on each, for tasks with a network of their own and for tasks that keep the host's.
 */
import { constants } from 'node:os';
import { advises, type WantedRemedy } from '../wanted-remedy.ts';

export interface CrippledHost {
  readonly name: string;
  /** Shell, run in namespaces of its own before the agent's part starts; `$BIN` is a directory at the front of PATH, `$DATA` the task root. */
  readonly cripple: string;
  /** As this uid, without root. */
  readonly user?: number;
  /** In a user namespace that maps every id: its own settings can be closed. */
  readonly ownUserNamespace?: boolean;
  readonly rungs: { readonly own: string; readonly host: string };
  /** Of a task that is refused. */
  readonly why?: RegExp;
  /** A mechanism that the doctor must say is not there; none where each works, but not as a task gets them. */
  readonly lost?: string;
  /** Carried out in the same place, it must raise the host to the rung the doctor names with it. */
  readonly remedy?: WantedRemedy;
  /** What this host is once the remedy is carried out, where no command in it does that. */
  readonly remedied?: Pick<CrippledHost, 'cripple' | 'user'>;
}

/** The user of a host that knows it by a name. */
export const named = 61_238;

/** A native program, wherever it would be found. */
const without = (program: string): string =>
  `for d in "$NATIVE" "$PREBUILT"; do [ ! -e "$d/${program}" ] || mount --bind /dev/null "$d/${program}"; done`;

export const hide = (...programs: readonly string[]): string =>
  programs.map((name) => `p=$(command -v ${name}) && mount --bind /dev/null "$(readlink -f "$p")" || :`).join('; ');
/** The program itself stays at `$BIN/<name>.real`. */
const wrap = (name: string, body: string): string =>
  [
    `real=$(readlink -f "$(command -v ${name})"); : >"$BIN/${name}.real"; mount --bind "$real" "$BIN/${name}.real"`,
    `printf '#!/bin/sh\\nBIN=%s DATA=%s\\n%s\\n' "$BIN" "$DATA" '${body}' >"$BIN/${name}"; chmod 755 "$BIN/${name}"; mount --bind "$BIN/${name}" "$real"`,
  ].join('; ');
const unmount = (...names: readonly string[]): string =>
  names.map((name) => `umount "/sys/fs/cgroup/${name}" 2>/dev/null || :`).join('; ');
const close = (kind: string): string => `echo 0 >/proc/sys/user/max_${kind}_namespaces`;

/** Programs that are gone can be installed again: the system's installer, for as long as the host is crippled (real ones: `distributions.ts`). */
export const installable = (program: string, name: string, installer = 'apt-get'): string =>
  `p=$(readlink -f "$(command -v ${program})"); printf '#!/bin/sh\\ncase "$*" in "install -y ${name}") umount "%s" ;; *) exit 100 ;; esac\\n' "$p" >"$BIN/${installer}"; chmod 755 "$BIN/${installer}"`;

/** An /etc of the crippled host's own, in memory, where its user has a name, and what is given ids of the host. */
export const ownEtc = (rows = '', known = true): string =>
  [
    'mkdir "$BIN/etc"; mount -t tmpfs none "$BIN/etc"; cp -a /etc/. "$BIN/etc"; mount --bind "$BIN/etc" /etc',
    known ? `echo "drover-test:x:${named}:${named}::/:/bin/sh" >>/etc/passwd` : ':',
    `for f in /etc/subuid /etc/subgid; do printf '${rows}' >$f; done`,
  ].join('; ');
/** What its user asks of root is done where the crippled host is; a real one: `distributions.ts`. */
export const sudo = [
  'mkfifo -m 666 "$BIN/ask" "$BIN/done"',
  `PATH="$BIN:$PATH" timeout "\${SUDO_SECONDS:-100}" sh -c 'while [ -p "$BIN/ask" ]; do xargs -d "\\n" -a "$BIN/ask" env; echo >"$BIN/done"; done' </dev/null >/dev/null 2>&1 &`,
  `printf '#!/bin/sh\\nfor a; do echo "$a"; done >%s/ask; read answer <%s/done\\n' "$BIN" "$BIN" >"$BIN/sudo"; chmod 755 "$BIN/sudo"`,
].join('\n');
/** Control groups of version 1 that belong to its user. */
export const groupsOfUser = `for d in cpu cpuset memory pids freezer; do
  d=/sys/fs/cgroup/$d; g=$d/$CGROUP-given; mkdir $g
  for f in cpuset.cpus cpuset.mems; do [ ! -e $d/$f ] || cat $d/$f >$g/$f; done
  chown ${named} $g $g/cgroup.procs $g/tasks; echo $$ >$g/cgroup.procs
done`;

const withIds = ownEtc('drover-test:1700000000:65536\\n');
/** Programs that gain no rights any more. */
const plain = (...names: readonly string[]): string =>
  names
    .map(
      (name) =>
        `p=$(readlink -f "$(command -v ${name})"); cp "$p" "$BIN/${name}"; chmod 755 "$BIN/${name}"; mount --bind "$BIN/${name}" "$p"`,
    )
    .join('; ');
/** Docker's own choice. */
const inContainer =
  '+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,+net_bind_service,+sys_chroot,+kill,+audit_write';

const readOnlyGroups =
  'for d in /sys/fs/cgroup/*/; do mountpoint -q "$d" && mount -o remount,bind,ro "$d"; done; mount -o remount,bind,ro /sys/fs/cgroup 2>/dev/null || :';
/** A /dev of its own, with what tasks are shown of it. */
const ownDevices = [
  'mkdir "$BIN/d"; mount -t tmpfs -o mode=755 none "$BIN/d"; for n in null zero full random urandom tty; do cp -a /dev/$n "$BIN/d"; done',
  'chown 0:0 "$BIN"/d/*; ln -s /proc/self/fd "$BIN/d"; mkdir "$BIN/d/pts" "$BIN/d/shm"; mount --rbind /dev/pts "$BIN/d/pts"; mount --move "$BIN/d" /dev',
].join('; ');
/** As in a container. */
const coveredProc =
  'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; mount --bind /dev/null /proc/keys';
/** Node and one or two programs beside it. */
const few = 'g=/sys/fs/cgroup/pids/$CGROUP-few; mkdir $g; echo $$ >$g/cgroup.procs; echo 14 >$g/pids.max';
const outOfUserNamespace = advises('leave_user_namespace', /^run the agent in the host's own user namespace$/);
const both = (rung: string) => ({ own: rung, host: rung });
const full = { own: 'container', host: 'sandbox' };

export const crippledHosts: readonly CrippledHost[] = [
  {
    name: 'bubblewrap is gone, and what the agent makes is closed to others',
    cripple: `${hide('bwrap')}; umask 077`,
    rungs: full,
    lost: 'runtime.bwrap',
  },
  {
    name: 'runc and crun are gone',
    cripple: `${installable('runc', 'runc')}; ${hide('runc', 'crun')}`,
    rungs: both('sandbox'),
    lost: 'runtime.runc',
    remedy: advises('install_runtime', /^apt-get install -y runc$/),
  },
  {
    name: 'every runtime is gone, util-linux is left, and its directories have names that programs trip over',
    cripple: `${hide('bwrap', 'runc', 'crun')}; mkdir -m 777 "$DATA/ä b'c"; export DATA_DIR="$DATA/ä b'c" TMPDIR="$DATA/ä b'c"`,
    rungs: both('sandbox'),
    lost: 'runtime.bwrap',
  },
  {
    name: 'every runtime is gone, and unshare too',
    cripple: `${installable('bwrap', 'bubblewrap')}; ${hide('bwrap', 'runc', 'crun', 'unshare')}`,
    rungs: both('process'),
    lost: 'runtime.unshare',
    remedy: advises('install_runtime', /^apt-get install -y bubblewrap$/),
  },
  { name: 'runc is broken', cripple: wrap('runc', 'exit 1'), rungs: both('sandbox'), lost: 'runtime.runc' },
  {
    name: 'runc is gone, and crun refuses the host',
    cripple: [
      wrap(
        'crun',
        'case "$*" in *--version*) exec "$BIN/crun.real" --version ;; esac; echo "error: no such cgroup" >&2; exit 1',
      ),
      hide('runc'),
    ].join('; '),
    rungs: both('sandbox'),
    lost: 'runtime.crun',
  },
  { name: 'bubblewrap is broken', cripple: wrap('bwrap', 'exit 1'), rungs: full, lost: 'runtime.bwrap' },
  {
    name: 'bubblewrap hangs',
    cripple: wrap('bwrap', 'case $1 in --version) echo bubblewrap 0.8.0 ;; *) sleep 60 ;; esac'),
    rungs: full,
    lost: 'runtime.bwrap',
  },
  {
    // nothing that is seen from outside says so: only who tries it from inside
    name: 'bubblewrap shows files of the host',
    cripple: wrap(
      'bwrap',
      'for a; do shift; [ "$a" != -- ] || set -- "$@" --ro-bind "$DATA" "$DATA"; set -- "$@" "$a"; done; exec "$BIN/bwrap.real" "$@"',
    ),
    // the next one takes its place
    rungs: full,
  },
  {
    name: 'bubblewrap shows files of the host, and nothing else is left',
    cripple: [
      wrap(
        'bwrap',
        'for a; do shift; [ "$a" != -- ] || set -- "$@" --ro-bind "$DATA" "$DATA"; set -- "$@" "$a"; done; exec "$BIN/bwrap.real" "$@"',
      ),
      hide('runc', 'crun', 'unshare'),
    ].join('; '),
    rungs: both('process'),
  },
  {
    // its version 1.8.1 sets the limit of memory there, and lets it pass
    name: 'crun bounds no memory, and runc is there',
    // it gives the streams of containers to their users: not those of the host
    cripple: `${ownDevices}; ${unmount('unified')}`,
    rungs: full,
  },
  {
    name: 'crun bounds no memory, and runc is gone',
    cripple: `${unmount('unified')}; ${installable('runc', 'runc')}; ${hide('runc')}`,
    rungs: both('sandbox'),
    remedy: advises('install_runtime', /^apt-get install -y runc$/),
  },
  {
    name: 'no tmpfs can be mounted',
    cripple: [
      wrap('mount', 'case "$*" in *tmpfs*) echo no such device >&2; exit 32 ;; esac; exec "$BIN/mount.real" "$@"'),
      wrap('bwrap', 'case "$*" in *--tmpfs*) echo no such device >&2; exit 1 ;; esac; exec "$BIN/bwrap.real" "$@"'),
      hide('runc', 'crun'),
    ].join('; '),
    rungs: both('process'),
    lost: 'runtime.bwrap',
  },
  {
    name: 'the verifier is gone',
    cripple: without('drover-verify'),
    rungs: both('none'),
    lost: 'seccomp',
  },
  ...(['EPERM', 'EINVAL'] as const).map((name) => ({
    // as in a container or a unit whose own filter forbids it
    name: `an outer filter answers ${name} to who would install one`,
    cripple: `set -- "$WITHOUT_SECCOMP" ${constants.errno[name]} "$@"`,
    rungs: both('process'),
    lost: 'seccomp',
    remedy: advises('leave_outer_filter', /^run the agent where nothing around it .* forbids seccomp filters$/),
    remedied: { cripple: ':' },
  })),
  {
    name: 'the supervisor is gone',
    cripple: without('drover-shim'),
    rungs: both('none'),
    lost: 'native_shim',
  },
  {
    name: 'cgroups are read-only',
    cripple: readOnlyGroups,
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: advises('make_groups_writable', /mount -o remount,bind,rw/),
  },
  {
    name: 'no cgroup is mounted',
    cripple: 'umount -R /sys/fs/cgroup',
    rungs: both('sandbox'),
    lost: 'cgroup.kill',
    remedy: advises('mount_groups', /^mount -t tmpfs none \/sys\/fs\/cgroup && for c in .*mount -t cgroup/),
  },
  {
    name: 'the memory controller is gone',
    cripple: unmount('memory'),
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: advises('mount_groups', /^for c in memory; do .*mount -t cgroup/),
  },
  {
    name: 'the pids and cpu controllers are gone',
    cripple: unmount('pids', 'cpu'),
    rungs: both('sandbox'),
    lost: 'cgroup.pids',
    remedy: advises('mount_groups', /^for c in cpu pids; do .*mount -t cgroup/),
  },
  {
    name: 'its group is full of processes',
    cripple: few,
    rungs: both('refused'),
    why: /no more processes can be started: \S+-few has \d+ of 14; raise its pids\.max/,
    remedy: advises(
      'more_processes_of_group',
      /^echo max >\/sys\/fs\/cgroup\/pids\/drover-crippled-\w+-few\/pids\.max$/,
    ),
  },
  {
    name: 'no group can be killed as one',
    cripple: unmount('freezer', 'unified'),
    rungs: full,
    lost: 'cgroup.kill',
  },
  {
    name: 'user namespaces are closed',
    ownUserNamespace: true,
    cripple: close('user'),
    rungs: both('process'),
    lost: 'namespace.user',
    remedy: advises('open_namespaces', /^sysctl -w user\.max_user_namespaces=/),
  },
  {
    name: 'pid namespaces are closed',
    ownUserNamespace: true,
    cripple: close('pid'),
    rungs: both('process'),
    lost: 'namespace.pid',
    remedy: advises('open_namespaces', /^sysctl -w user\.max_pid_namespaces=/),
  },
  {
    name: 'network namespaces are closed',
    ownUserNamespace: true,
    cripple: close('net'),
    // it asked for a network of its own, and is not given the host's in its place
    rungs: { own: 'refused', host: 'sandbox' },
    lost: 'namespace.net',
    remedy: outOfUserNamespace,
    remedied: { cripple: ':' },
  },
  {
    name: 'ipc namespaces are closed',
    ownUserNamespace: true,
    cripple: close('ipc'),
    rungs: both('process'),
    lost: 'namespace.ipc',
    remedy: advises('open_namespaces', /^sysctl -w user\.max_ipc_namespaces=/),
  },
  {
    name: 'cgroup namespaces are closed',
    ownUserNamespace: true,
    cripple: close('cgroup'),
    rungs: both('sandbox'),
    lost: 'namespace.cgroup',
    remedy: outOfUserNamespace,
    remedied: { cripple: ':' },
  },
  {
    name: 'root is that of a user namespace only',
    ownUserNamespace: true,
    cripple: ':',
    rungs: both('sandbox'),
    lost: 'runtime.runc',
    remedy: outOfUserNamespace,
    remedied: { cripple: ':' },
  },
  {
    name: 'tasks cannot pass a directory, and it cannot be covered',
    cripple: `${wrap('mount', 'case "$*" in *tmpfs*) echo no such device >&2; exit 32 ;; esac; exec "$BIN/mount.real" "$@"')}; chmod 700 "$DATA"`,
    rungs: both('refused'),
    lost: 'reachable',
    remedy: advises('open_directory', /^chmod o\+x \/\S+$/),
  },
  {
    name: 'there is no root',
    user: 61_235,
    cripple: ':',
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: advises('become_root', /^run the agent as root$/),
    remedied: { cripple: ':' },
  },
  {
    name: 'there is no root, and no bubblewrap',
    user: 61_235,
    cripple: hide('bwrap'),
    rungs: both('sandbox'),
    lost: 'runtime.bwrap',
  },
  {
    name: 'there is no root, no bubblewrap and no unshare',
    user: 61_235,
    cripple: `${installable('unshare', 'util-linux')}; ${sudo}; ${hide('bwrap', 'unshare')}`,
    rungs: both('none'),
    lost: 'runtime.unshare',
    remedy: advises('install_runtime', /^sudo apt-get install -y util-linux$/),
  },
  {
    name: 'there is no root, and there are no ids for its tasks',
    user: named,
    cripple: `${ownEtc()}; ${sudo}; ${groupsOfUser}`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises('give_ids', /^sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 drover-test$/),
  },
  {
    name: 'there is no root, and what has ids for its tasks has no control groups',
    user: named,
    cripple: `${withIds}; ${sudo}`,
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: advises('give_groups', /^sudo sh -c 'for d in \/sys\/fs\/cgroup/),
  },
  {
    name: 'there is no root, and its user has no name',
    user: named,
    cripple: `${ownEtc('', false)}; ${sudo}; ${groupsOfUser}`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises(
      'give_ids',
      /^sudo sh -c 'getent group .*' && sudo useradd --uid \d+ --gid \d+ .* drover && sudo usermod .* drover$/,
    ),
  },
  {
    name: 'there is no root, and too few ids for its tasks',
    user: named,
    cripple: `${ownEtc('drover-test:100000:500\\n')}; ${sudo}; ${groupsOfUser}`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises('give_ids', /^sudo sed -i -e '.*' \/etc\/subuid \/etc\/subgid && sudo usermod .* drover-test$/),
  },
  {
    name: 'there is no root, and control groups are read-only',
    user: named,
    cripple: `${withIds}; ${sudo}; ${readOnlyGroups}`,
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: advises('give_groups', /^sudo sh -c 'for d in \$\(findmnt .*' && sudo sh -c 'for d in \/sys\/fs\/cgroup/),
  },
  {
    name: 'there is no root, and user namespaces are closed',
    user: named,
    ownUserNamespace: true,
    cripple: `${close('user')}; ${sudo}`,
    rungs: both('none'),
    lost: 'namespace.user',
    remedy: advises('open_namespaces', /^sudo sysctl -w user\.max_user_namespaces=/),
  },
  {
    name: 'there is no root, and its group is full of processes',
    user: named,
    cripple: `${sudo}; ${few}`,
    rungs: both('refused'),
    why: /no more processes can be started/,
    remedy: advises('more_processes_of_group', /^sudo sh -c 'echo max >\S+\/pids\.max'$/),
  },
  {
    name: 'its user may have no more processes',
    user: 61_237,
    cripple: 'prlimit --pid $$ --nproc=14:',
    rungs: both('refused'),
    why: /uid 61237 may have 14; raise its limit/,
    remedy: advises('more_processes_of_user', /^let uid 61237 have more than 14 processes/),
    remedied: { cripple: ':', user: 61_237 },
  },
  {
    name: 'its directory is full',
    cripple: 'mount -t tmpfs -o size=1m,mode=777 none "$DATA"; dd if=/dev/zero of="$DATA/full" bs=1k 2>/dev/null || :',
    rungs: both('refused'),
    why: /ENOSPC/,
    lost: 'start',
    remedy: advises('more_room', /^make room on the file system of \/\S+: 0 KiB and \d+ files can be written there$/),
    remedied: { cripple: ':' },
  },
  {
    // as much as one trial takes, and not two
    name: 'its directory has little room',
    cripple: [
      'for d in "$PREBUILT" "$NATIVE"; do [ ! -e "$d/drover-verify" ] || v=$(stat -c %s "$d/drover-verify"); done',
      'mount -t tmpfs -o size=$((v * 4 / 1024 + 400))k,mode=777 none "$DATA"',
    ].join('; '),
    rungs: full,
  },
  {
    name: 'it may open few files',
    cripple: 'prlimit --pid $$ --nofile=64:64',
    rungs: both('refused'),
    lost: 'start',
    remedy: advises('more_files', /^let the agent open more than 64 files/),
    remedied: { cripple: ':' },
  },
  {
    name: 'it may write no large files',
    cripple: 'prlimit --pid $$ --fsize=20000',
    rungs: both('refused'),
    why: /the spawn helper has ended by SIGXFSZ/,
    lost: 'start',
    remedy: advises('larger_files', /^let the agent write files of more than 20000 bytes/),
    remedied: { cripple: ':' },
  },
  {
    name: 'there is no /dev/null',
    cripple: `${ownDevices}; rm /dev/null`,
    rungs: both('refused'),
    why: /\/dev\/null is not there/,
    lost: 'start',
    remedy: advises('make_devices', /^mknod -m 666 \/dev\/null c 1 3$/),
  },
  {
    name: 'devices are missing, closed, or something else',
    cripple: `${ownDevices}; rm /dev/null /dev/tty; : >/dev/null; chmod 600 /dev/zero`,
    rungs: both('process'),
    lost: 'runtime.bwrap',
    remedy: advises(
      'make_devices',
      /^rm -f \/dev\/null && mknod -m 666 \/dev\/null c 1 3 && chmod 666 \/dev\/zero && mknod -m 666 \/dev\/tty c 5 0$/,
    ),
  },
  {
    name: '/proc is covered',
    cripple: coveredProc,
    rungs: both('process'),
    lost: 'runtime.bwrap',
    remedy: advises('mount_proc', /^mount -t proc none \/proc$/),
  },
  {
    name: '/proc is covered, and root is that of a user namespace only',
    ownUserNamespace: true,
    cripple: coveredProc,
    rungs: both('process'),
    lost: 'runtime.bwrap',
    remedy: advises('leave_covered_proc', /^run the agent where nothing covers \/proc /),
    remedied: { cripple: ':' },
  },
  {
    name: '/proc is not mounted',
    cripple: 'umount -R -l /proc',
    rungs: both('refused'),
    lost: 'start',
    remedy: advises('mount_proc', /^mount -t proc none \/proc$/),
  },
  {
    name: '/sys is not mounted',
    cripple: 'umount -R /sys',
    rungs: both('sandbox'),
    lost: 'cgroup.kill',
    remedy: advises('mount_groups', /^mount -t sysfs none \/sys && mount -t tmpfs none \/sys\/fs\/cgroup && for c in /),
  },
  {
    // as a kernel before 5.12
    name: 'mounts cannot be made read-only with what is below them',
    cripple: `set -- "$WITHOUT_SECCOMP" ${constants.errno.ENOSYS} -442 "$@"`,
    rungs: both('sandbox'),
    lost: 'runtime.runc',
    remedy: advises('newer_kernel', /^run the agent on Linux 5\.12 or newer/),
    remedied: { cripple: ':' },
  },
  {
    name: 'nobody is not known to it',
    cripple: `${ownEtc()}; sed -i '/^nobody:/d' /etc/passwd`,
    rungs: both('refused'),
    why: /unknown user nobody/,
    lost: 'start',
    remedy: advises('give_nobody', /^echo nobody:x:65534:65534:\S+ >>\/etc\/passwd$/),
  },
  {
    name: 'root has no more of its capabilities than a container gives',
    cripple: `set -- setpriv --bounding-set -all,${inContainer} "$@"`,
    // what it cannot see of a task it does not claim
    rungs: both('process'),
    lost: 'runtime.runc',
    remedy: advises(
      'more_capabilities',
      /^run the agent with what it lacks of root's capabilities: SYS_ADMIN SYS_PTRACE /,
    ),
    remedied: { cripple: ':' },
  },
  {
    name: 'root may give tasks no other ids',
    cripple: 'set -- setpriv --bounding-set -setuid,-setgid "$@"',
    rungs: both('refused'),
    why: /setgroups: Operation not permitted/,
    lost: 'seccomp',
    remedy: advises('more_capabilities', /^run the agent with what it lacks of root's capabilities: SETGID SETUID /),
    remedied: { cripple: ':' },
  },
  {
    name: 'root may not end what others run',
    cripple: 'set -- setpriv --bounding-set -kill "$@"',
    rungs: both('refused'),
    why: /could not end the task: its root lacks CAP_KILL/,
    lost: 'start',
    remedy: advises('more_capabilities', /^run the agent with what it lacks of root's capabilities: KILL /),
    remedied: { cripple: ':' },
  },
  {
    name: 'there is no root, and nothing it starts gains rights',
    user: named,
    cripple: `${withIds}; ${groupsOfUser}; set -- setpriv --no-new-privs "$@"`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises('leave_no_new_privs', /^run the agent where nothing around it sets no_new_privs/),
    remedied: { cripple: `${withIds}; ${groupsOfUser}`, user: named },
  },
  {
    name: 'there is no root, and newuidmap has no rights of its own',
    user: named,
    cripple: `${withIds}; ${sudo}; ${groupsOfUser}; ${plain('newuidmap', 'newgidmap')}`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises('restore_mapper', /^sudo chmod u\+s \S+newuidmap && sudo chmod u\+s \S+newgidmap$/),
  },
  {
    name: 'there is no root, and newuidmap is where programs gain no rights',
    user: named,
    cripple: `${withIds}; ${sudo}; ${groupsOfUser}; mount --bind /usr /usr; mount -o remount,bind,nosuid /usr`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: advises('restore_mapper', /^sudo mount -o remount,bind,suid \/usr$/),
  },
  {
    name: 'there is no root, and its user may have fewer processes than tasks ask for',
    user: 61_239,
    cripple: 'prlimit --pid $$ --nproc=100:100',
    rungs: both('sandbox'),
  },
  {
    name: 'something around it forbids user namespaces',
    cripple: 'mkdir "$BIN/r"; mount --rbind / "$BIN/r"; set -- chroot "$BIN/r" "$@"',
    rungs: both('process'),
    lost: 'namespace.user',
    remedy: advises('leave_outer_ban', /^run the agent where nothing around it .* forbids user namespaces$/),
    remedied: { cripple: ':' },
  },
];
