/**
 * bubblewrap, started under the task's own host uid (the shim drops to it first: bwrap started by root keeps the host's uid 0 underneath).
 * bwrap makes the namespaces and the view of files; the verifier inside takes the filter and becomes the task.
 */
import { handedToTask, runBytes, type TaskPrivileges, verifierInside } from './inside.ts';
import { hostnameOf, type Launch, type LaunchRequest, outsideRoot } from './launch.ts';
import { type SystemPath, viewOfSystem } from './system-paths.ts';

export interface BwrapOptions extends TaskPrivileges {
  /** Absolute path of bwrap, and its version. */
  readonly program: string;
  readonly version: string;
  /** Host path of the verifier. */
  readonly verifier: string;
  readonly system: readonly SystemPath[];
  /** Whom the task believes to be. */
  readonly inside: { readonly uid: number; readonly gid: number };
  /** Names of the capabilities. */
  readonly added?: readonly string[];
  readonly cgroupNamespace: boolean;
  /** Of /dev/shm. */
  readonly sharedMemoryBytes: number;
  /** Files of /proc that tell of the host: those of `masked-proc.ts` that this kernel has. */
  readonly maskedProc: readonly string[];
}

export function bwrapLaunch(request: LaunchRequest, options: BwrapOptions): Launch {
  return {
    launcher: { kind: 'bwrap' },
    command: [
      options.program,
      ...namespaceArgs(request, options),
      ...viewArgs(request, options),
      '--',
      verifierInside,
      '3',
    ],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    workDir: '/',
    ...handedToTask(request, options),
    joinsCgroup: true,
    network: request.network !== null && request.network !== 'none' ? request.network.path : null,
    pidNamespace: false,
    runtime: `bwrap ${options.version}`,
  };
}

function namespaceArgs(request: LaunchRequest, options: BwrapOptions): readonly string[] {
  return [
    ...(request.pidMode === 'private' ? ['--as-pid-1', '--unshare-pid'] : []),
    ...['--info-fd', '4'],
    '--unshare-user',
    ...(request.ipcMode === 'private' ? ['--unshare-ipc'] : []),
    '--unshare-uts',
    ...(hostnameOf(request) === '' ? [] : ['--hostname', hostnameOf(request)]),
    ...(options.cgroupNamespace ? ['--unshare-cgroup'] : []),
    ...(request.network === 'none' ? ['--unshare-net'] : []),
    ...(options.added ?? []).flatMap((name) => ['--cap-add', `CAP_${name}`]),
    ...['--uid', String(options.inside.uid), '--gid', String(options.inside.gid)],
  ];
}

/** The order matters: later entries cover earlier ones. */
function viewArgs(request: LaunchRequest, options: BwrapOptions): readonly string[] {
  const { directories } = request;
  const { shown, covered } = viewOfSystem(options.system, request);
  const bind = (kind: '--bind' | '--ro-bind' | '--dev-bind', from: string, to: string): readonly string[] => [
    kind,
    from,
    to,
  ];
  return [
    // the root is the task's own directory, as jobs expect: what they write beside themselves is found there
    ...bind('--bind', directories.task, '/'),
    ...inMemory(runBytes, '/run'),
    ...shown.flatMap((each) => bind('--ro-bind', each.from, each.to)),
    ...['/private', ...covered].flatMap((path) => ['--tmpfs', path, '--remount-ro', path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    // of the host's nobody may make a mount
    ...(request.ipcMode === 'private' ? ['--mqueue', '/dev/mqueue'] : []),
    ...['--perms', '1777', ...inMemory(options.sharedMemoryBytes, '/dev/shm')],
    ...options.maskedProc.flatMap((path) => bind('--ro-bind', '/dev/null', path)),
    ...bind('--ro-bind', '/proc/sys', '/proc/sys'),
    ...bind('--bind', directories.shared, '/alloc'),
    // a task must not rewrite what the agent keeps of it
    ...bind('--ro-bind', directories.logs, '/alloc/logs'),
    ...outsideRoot(directories, ['local', 'secrets', 'tmp']).flatMap((name) =>
      bind('--bind', directories[name], `/${name}`),
    ),
    ...request.mounts.flatMap((mount) => bind(mount.readOnly ? '--ro-bind' : '--bind', mount.hostPath, mount.taskPath)),
    ...request.devices.flatMap((device) => bind('--dev-bind', device.hostPath, device.taskPath)),
    ...['--remount-ro', '/dev'],
    ...bind('--ro-bind', options.verifier, verifierInside),
  ];
}

function inMemory(bytes: number, at: string): readonly string[] {
  return ['--size', String(bytes), '--tmpfs', at];
}
