/**
 * The sandbox without bubblewrap: util-linux makes the namespaces, a shell script the view of files, the verifier inside the rest. The
 * shim treats it like bubblewrap: it runs under the task's own host uid, names its child, and is ended once the verifier speaks.
 */

import { handedToTask, runBytes, type TaskPrivileges, verifierInside } from './inside.ts';
import { followsHost, type Launch, type LaunchRequest } from './launch.ts';
import { type SystemPath, viewOfSystem } from './system-paths.ts';

export interface UnshareOptions extends TaskPrivileges {
  /** `"unshare 2.38.1"` */
  readonly version: string;
  /** Host path of the verifier. */
  readonly verifier: string;
  readonly system: readonly SystemPath[];
  /** Whom the task believes to be. */
  readonly inside: { readonly uid: number; readonly gid: number };
  readonly cgroupNamespace: boolean;
  /** Of /dev/shm. */
  readonly sharedMemoryBytes: number;
  /** Files of /proc that are covered. */
  readonly maskedProc: readonly string[];
}

/**
 * One mount of the view: `ro` and `rw` bind `from`, those that follow let in what the host mounts there later; the others make a new one; of
 * `tmp` and `dev` (its shm) it is the size in bytes.
 */
export interface ViewStep {
  readonly kind: 'ro' | 'rw' | 'ro-follows' | 'rw-follows' | 'tmp' | 'empty' | 'proc' | 'dev' | 'queues';
  readonly from: string;
  /** Absolute, inside. */
  readonly to: string;
}

/**
 * What is mounted below the root already (the task's secrets in memory) may not be left out: in a user namespace it is locked to its place.
 * Arguments: root, then for each step its kind, what is bound and where; after `--` what is executed inside. A place that is not itself
 * (a link that a task left) is refused: nothing is made through it.
 */
const script = `set -eu
mount() { command mount -n "$@"; }
read -r pid rest </proc/self/stat
printf '{"child-pid": %s}' "$pid" >&4
exec 4>&-
root=$1; shift
mount --rbind "$root" "$root"
readonly_below() {
  while read -r one two three four at options rest; do
    # the kernel writes blanks and backslashes as three octal digits
    case $at in *\\\\*) at=$(printf %b "$(printf %s "$at" | sed 's/\\\\/\\\\0/g')") ;; esac
    case $at in "$1"|"$1"/*) ;; *) continue ;; esac
    mount -o "remount,bind,ro,$(printf %s "$options" | sed 's/^rw,\\{0,1\\}//;s/^ro,\\{0,1\\}//')" "$at"
  done </proc/self/mountinfo
}
follows=''
case " $* " in *'-follows '*) follows=1; mount --make-rprivate "$root" ;; esac
apart() { case $kind in *-follows) ;; *) [ -z "$follows" ] || mount --make-rprivate "$to" ;; esac; }
place() {
  if [ "$2" = d ]; then mkdir -p "$1"; else mkdir -p "\${1%/*}"; [ -e "$1" ] || : >"$1"; fi
  [ "$(readlink -f "$1")" = "$1" ] || { echo "$1 leads elsewhere" >&2; exit 1; }
}
while [ "$1" != -- ]; do
  kind=$1 from=$2 to=$root$3
  shift 3
  case $kind in
    ro*) if [ -d "$from" ]; then place "$to" d; else place "$to" f; fi; mount --rbind "$from" "$to"; apart; readonly_below "$to" ;;
    rw*) if [ -d "$from" ]; then place "$to" d; else place "$to" f; fi; mount --rbind "$from" "$to"; apart ;;
    tmp) place "$to" d; mount -t tmpfs -o "nosuid,nodev,mode=755,size=$from" tmpfs "$to" ;;
    empty) place "$to" d; mount -t tmpfs -o ro,nosuid,nodev,mode=555,size=4k tmpfs "$to" ;;
    proc) place "$to" d; mount -t proc -o nosuid,nodev,noexec proc "$to" ;;
    queues) place "$to" d; mount -t mqueue mqueue "$to" ;;
    dev)
      place "$to" d
      mount -t tmpfs -o nosuid,mode=755,size=64k,nr_inodes=1k tmpfs "$to"
      for name in null zero full random urandom tty; do : >"$to/$name"; mount --bind "/dev/$name" "$to/$name"; done
      mkdir "$to/pts" "$to/shm"
      mount -t tmpfs -o "nosuid,nodev,mode=1777,size=$from" tmpfs "$to/shm"
      mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$to/pts"
      ln -s pts/ptmx "$to/ptmx"
      ln -s /proc/self/fd "$to/fd"
      for number in 0 1 2; do ln -s "/proc/self/fd/$number" "$to/$(echo stdin stdout stderr | cut -d' ' -f$((number + 1)))"; done ;;
  esac
done
shift
cd "$root"
pivot_root . .
umount -n -l .
cd /
exec "$@"
`;

/** The command line that isolates; `network`: a new one with nothing but loopback. */
export function unshareCommand(
  root: string,
  steps: readonly ViewStep[],
  inside: readonly string[],
  options: Pick<UnshareOptions, 'inside' | 'cgroupNamespace'> & {
    readonly network: boolean;
    readonly ipc: boolean;
    readonly pid: boolean;
  },
): readonly string[] {
  return [
    'unshare',
    ...['--user', `--map-user=${options.inside.uid}`, `--map-group=${options.inside.gid}`, '--keep-caps'],
    ...['--mount', '--propagation', steps.some(({ kind }) => kind.endsWith('-follows')) ? 'slave' : 'private'],
    ...['--fork', '--uts'],
    ...(options.pid ? ['--pid'] : []),
    ...(options.ipc ? ['--ipc'] : []),
    ...(options.network ? ['--net'] : []),
    ...(options.cgroupNamespace ? ['--cgroup'] : []),
    ...['sh', '-c', script, 'sh', root],
    ...steps.flatMap(({ kind, from, to }) => [kind, from || '-', to]),
    '--',
    ...inside,
  ];
}

export function unshareLaunch(request: LaunchRequest, options: UnshareOptions): Launch {
  const { directories, network } = request;
  const command = unshareCommand(directories.task, viewSteps(request, options), [verifierInside, '3'], {
    ...options,
    network: network === 'none',
    ipc: request.ipcMode === 'private',
    pid: request.pidMode === 'private',
  });
  return {
    launcher: { kind: 'bwrap' },
    command,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    workDir: '/',
    ...handedToTask(request, options),
    joinsCgroup: true,
    network: network !== null && network !== 'none' ? network.path : null,
    pidNamespace: false,
    runtime: options.version,
  };
}

/** The order matters: later steps cover earlier ones. */
function viewSteps(request: LaunchRequest, options: UnshareOptions): readonly ViewStep[] {
  const { directories } = request;
  const bind = (kind: 'ro' | 'rw', from: string, to: string): ViewStep => ({ kind, from, to });
  const { shown, covered } = viewOfSystem(options.system, request);
  const made = (kind: 'empty' | 'proc' | 'queues', to: string): ViewStep => ({ kind, from: '', to });
  const sized = (kind: 'tmp' | 'dev', bytes: number, to: string): ViewStep => ({ kind, from: String(bytes), to });
  return [
    sized('tmp', runBytes, '/run'),
    made('empty', '/private'),
    ...shown.map((each) => bind('ro', each.from, each.to)),
    ...covered.map((path) => made('empty', path)),
    // only in a pid namespace of its own may a new one be mounted
    request.pidMode === 'private' ? made('proc', '/proc') : bind('ro', '/proc', '/proc'),
    sized('dev', options.sharedMemoryBytes, '/dev'),
    // of the host's nobody may make a mount
    ...(request.ipcMode === 'private' ? [made('queues', '/dev/mqueue')] : []),
    ...options.maskedProc.map((path) => bind('ro', '/dev/null', path)),
    bind('ro', '/proc/sys', '/proc/sys'),
    bind('rw', directories.shared, '/alloc'),
    bind('ro', directories.logs, '/alloc/logs'),
    bind('rw', directories.local, '/local'),
    bind('rw', directories.secrets, '/secrets'),
    bind('rw', directories.tmp, '/tmp'),
    ...request.mounts.map((mount): ViewStep => {
      const kind = mount.readOnly ? 'ro' : 'rw';
      return { kind: followsHost(mount) ? `${kind}-follows` : kind, from: mount.hostPath, to: mount.taskPath };
    }),
    ...request.devices.map((device) => bind('rw', device.hostPath, device.taskPath)),
    bind('ro', options.verifier, verifierInside),
  ];
}
