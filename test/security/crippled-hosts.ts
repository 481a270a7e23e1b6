/**
 * Hosts that lack something, made of this one with namespaces and wrappers; nothing of the host itself is changed. What is left of the
 * ladder on each, for tasks with a network of their own and for tasks that keep the host's.
 */
import { constants } from 'node:os';

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
  readonly remedy?: RegExp;
  /** What this host is once the remedy is carried out, where no command in it does that. */
  readonly remedied?: Pick<CrippledHost, 'cripple' | 'user'>;
}

/** The user of a host that knows it by a name. */
const named = 61_238;

/** A native program, wherever it would be found. */
const without = (program: string): string =>
  `for d in "$NATIVE" "$PREBUILT"; do [ ! -e "$d/${program}" ] || mount --bind /dev/null "$d/${program}"; done`;

const hide = (...programs: readonly string[]): string =>
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

/** Programs that are gone can be installed again: the system's installer, for as long as the host is crippled. */
const installable = (program: string, name: string): string =>
  `p=$(readlink -f "$(command -v ${program})"); printf '#!/bin/sh\\ncase "$*" in "install -y ${name}") umount "%s" ;; *) exit 100 ;; esac\\n' "$p" >"$BIN/apt-get"; chmod 755 "$BIN/apt-get"`;

/** An /etc of the crippled host's own, in memory, where its user has a name, and what is given ids of the host. */
const ownEtc = (rows = ''): string =>
  [
    'mkdir "$BIN/etc"; mount -t tmpfs none "$BIN/etc"; cp -a /etc/. "$BIN/etc"; mount --bind "$BIN/etc" /etc',
    `echo "drover-test:x:${named}:${named}::/:/bin/sh" >>/etc/passwd`,
    `for f in /etc/subuid /etc/subgid; do printf '${rows}' >$f; done`,
  ].join('; ');
/** What its user asks of root is done, once, where the crippled host is. */
const sudo = [
  'mkfifo -m 666 "$BIN/ask" "$BIN/done"',
  `timeout 100 sh -c 'xargs -d "\\n" -a "$BIN/ask" env; echo >"$BIN/done"' </dev/null >/dev/null 2>&1 &`,
  `printf '#!/bin/sh\\nfor a; do echo "$a"; done >%s/ask; read answer <%s/done\\n' "$BIN" "$BIN" >"$BIN/sudo"; chmod 755 "$BIN/sudo"`,
].join('\n');
/** Control groups of version 1 that belong to its user. */
const groupsOfUser = `for d in cpu cpuset memory pids freezer; do
  d=/sys/fs/cgroup/$d; g=$d/$CGROUP-given; mkdir $g
  for f in cpuset.cpus cpuset.mems; do [ ! -e $d/$f ] || cat $d/$f >$g/$f; done
  chown ${named} $g $g/cgroup.procs $g/tasks; echo $$ >$g/cgroup.procs
done`;

const outOfUserNamespace = /^run the agent in the host's own user namespace$/;
const both = (rung: string) => ({ own: rung, host: rung });
const full = { own: 'container', host: 'sandbox' };

export const crippledHosts: readonly CrippledHost[] = [
  { name: 'bubblewrap is gone', cripple: hide('bwrap'), rungs: full, lost: 'runtime.bwrap' },
  {
    name: 'runc and crun are gone',
    cripple: `${installable('runc', 'runc')}; ${hide('runc', 'crun')}`,
    rungs: both('sandbox'),
    lost: 'runtime.runc',
    remedy: /^apt-get install -y runc$/,
  },
  {
    name: 'every runtime is gone, util-linux is left',
    cripple: hide('bwrap', 'runc', 'crun'),
    rungs: both('sandbox'),
    lost: 'runtime.bwrap',
  },
  {
    name: 'every runtime is gone, and unshare too',
    cripple: `${installable('bwrap', 'bubblewrap')}; ${hide('bwrap', 'runc', 'crun', 'unshare')}`,
    rungs: both('process'),
    lost: 'runtime.unshare',
    remedy: /^apt-get install -y bubblewrap$/,
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
    cripple: unmount('unified'),
    rungs: full,
  },
  {
    name: 'crun bounds no memory, and runc is gone',
    cripple: `${unmount('unified')}; ${installable('runc', 'runc')}; ${hide('runc')}`,
    rungs: both('sandbox'),
    remedy: /^apt-get install -y runc$/,
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
    remedy: /^run the agent where nothing around it .* forbids seccomp filters$/,
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
    cripple:
      'for d in /sys/fs/cgroup/*/; do mountpoint -q "$d" && mount -o remount,bind,ro "$d"; done; mount -o remount,bind,ro /sys/fs/cgroup 2>/dev/null || :',
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: /mount -o remount,bind,rw/,
  },
  {
    name: 'no cgroup is mounted',
    cripple: 'umount -R /sys/fs/cgroup',
    rungs: both('sandbox'),
    lost: 'cgroup.kill',
    remedy: /^mount -t tmpfs none \/sys\/fs\/cgroup && for c in .*mount -t cgroup/,
  },
  {
    name: 'the memory controller is gone',
    cripple: unmount('memory'),
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: /^for c in memory; do .*mount -t cgroup/,
  },
  {
    name: 'the pids controller is gone',
    cripple: unmount('pids'),
    rungs: both('sandbox'),
    lost: 'cgroup.pids',
    remedy: /^for c in pids; do .*mount -t cgroup/,
  },
  {
    name: 'the cpu controller is gone',
    cripple: unmount('cpu'),
    rungs: both('sandbox'),
    lost: 'cgroup.cpu',
    remedy: /^for c in cpu; do .*mount -t cgroup/,
  },
  {
    // Node and one or two programs beside it
    name: 'its group is full of processes',
    cripple: 'g=/sys/fs/cgroup/pids/$CGROUP-few; mkdir $g; echo $$ >$g/cgroup.procs; echo 14 >$g/pids.max',
    rungs: both('refused'),
    why: /no more processes can be started: \S+-few has \d+ of 14; raise its pids\.max/,
    remedy: /^echo max >\/sys\/fs\/cgroup\/pids\/drover-crippled-\w+-few\/pids\.max$/,
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
    remedy: /^sysctl -w user\.max_user_namespaces=/,
  },
  {
    name: 'pid namespaces are closed',
    ownUserNamespace: true,
    cripple: close('pid'),
    rungs: both('process'),
    lost: 'namespace.pid',
    remedy: /^sysctl -w user\.max_pid_namespaces=/,
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
    remedy: /^sysctl -w user\.max_ipc_namespaces=/,
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
    remedy: /^chmod o\+x \/\S+$/,
  },
  {
    name: 'there is no root',
    user: 61_235,
    cripple: ':',
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: /^run the agent as root$/,
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
    cripple: hide('bwrap', 'unshare'),
    rungs: both('none'),
    lost: 'runtime.unshare',
  },
  {
    name: 'there is no root, and there are no ids for its tasks',
    user: named,
    cripple: `${ownEtc()}; ${sudo}; ${groupsOfUser}`,
    rungs: both('sandbox'),
    lost: 'subordinate_ids',
    remedy: /^sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 drover-test$/,
  },
  {
    name: 'there is no root, and what has ids for its tasks has no control groups',
    user: named,
    cripple: `${ownEtc('drover-test:1700000000:65536\\n')}; ${sudo}`,
    rungs: both('sandbox'),
    lost: 'cgroup.memory',
    remedy: /^sudo sh -c 'for d in \/sys\/fs\/cgroup/,
  },
];
