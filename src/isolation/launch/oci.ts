/**
 * An OCI runtime (crun, runc): `run` makes the container with the verifier as its process, and the shim's `go` lets that become the task; so
 * there is nothing for `create` to hold back, and a start is one process of the runtime's less. Source: the OCI runtime specification 1.0.2.
 */
import { handedToTask, type TaskPrivileges, verifierInside } from './inside.ts';
import { hostnameOf, type Launch, type LaunchRequest, outsideRoot } from './launch.ts';
import { lockedFlags } from './mount-flags.ts';
import { type SystemPath, viewOfSystem } from './system-paths.ts';

export interface OciOptions extends TaskPrivileges {
  /** `"runc"` */
  readonly program: string;
  /** `"runc version 1.1.5"` */
  readonly version: string;
  readonly verifier: string;
  readonly system: readonly SystemPath[];
  /** Whom the task believes to be. */
  readonly inside: { readonly uid: number; readonly gid: number };
  /** `/proc/self/mountinfo` of the agent. */
  readonly mountinfo: string;
  /** Host ids: of the task's user, and of root inside; null: no user namespace, ids are the host's. */
  readonly mapping: { readonly user: number; readonly root: number } | null;
  /** Names of the capabilities. */
  readonly added: readonly string[];
  /** Letters, digits, `.`, `-`, `_`. */
  readonly containerId: string;
  /** `/drover.slice/<name>`: the group that exists already; null: none. */
  readonly cgroupsPath: string | null;
  /** What a path of the host is as a device; null: it is none. */
  readonly deviceOf: (path: string) => DeviceFile | null;
  readonly isDirectory: (path: string) => boolean;
}

export interface DeviceFile {
  readonly kind: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
}

export interface OciLaunch {
  readonly launch: Launch;
  /** To be written as `config.json` into `bundle` before the start. */
  readonly config: unknown;
  readonly bundle: string;
}

export function ociLaunch(request: LaunchRequest, options: OciOptions): OciLaunch {
  const bundle = `${request.stateDirectory}/bundle`;
  const tool = [options.program, '--root', `${request.stateDirectory}/runtime`];
  const id = options.containerId;
  const launch: Launch = {
    launcher: { kind: 'oci', delete: [...tool, 'delete', '--force', id] },
    command: [...tool, 'run', '--detach', '--bundle', bundle, '--preserve-fds', '1', id],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    workDir: '/',
    ...handedToTask(request, options),
    joinsCgroup: true,
    // the container joins it by itself
    network: null,
    pidNamespace: false,
    runtime: options.version.replace(' version', ''),
  };
  return { launch, config: ociConfig(request, options), bundle };
}

/** The container's first process: the verifier, which takes the filter and becomes the task. */
function ociProcess(request: LaunchRequest, options: OciOptions): Readonly<Record<string, unknown>> {
  const own = options.mapping === null && request.user !== null ? request.user : null;
  const ids = own ?? { ...options.inside, groups: [options.inside.gid] };
  const capabilities = options.added.map((name) => `CAP_${name}`);
  const sets = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'];
  return {
    terminal: false,
    user: { uid: ids.uid, gid: ids.gid, additionalGids: ids.groups },
    args: [verifierInside, '3'],
    env: [],
    cwd: '/',
    capabilities: Object.fromEntries(sets.map((set) => [set, capabilities])),
    noNewPrivileges: true,
    oomScoreAdj: request.oomScoreAdj,
  };
}

function ociConfig(request: LaunchRequest, options: OciOptions): unknown {
  const bind = binder(options);
  return {
    ociVersion: '1.0.2',
    process: ociProcess(request, options),
    ...(hostnameOf(request) === '' ? {} : { hostname: hostnameOf(request) }),
    root: { path: request.directories.task, readonly: false },
    mounts: [
      ...kernelMounts,
      ...queueMounts(request),
      ...systemMounts(request, options, bind),
      ...taskMounts(request, options, bind),
    ],
    linux: {
      namespaces: namespaces(request, options),
      ...(options.mapping === null ? {} : mappings(options)),
      ...(options.cgroupsPath === null ? {} : { cgroupsPath: options.cgroupsPath }),
      resources: { devices: deviceRules(request, options) },
      maskedPaths,
      readonlyPaths,
    },
  };
}

const kernelMounts = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=755', 'size=65536k'] },
  { destination: '/private', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=755', 'size=64k'] },
];

/** Of the host's ipc namespace nobody in a user namespace may make a mount. */
function queueMounts({ ipcMode }: LaunchRequest): readonly unknown[] {
  const options = ['nosuid', 'noexec', 'nodev'];
  return ipcMode === 'private' ? [{ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options }] : [];
}

const maskedPaths = [
  'acpi',
  'asound',
  'kcore',
  'keys',
  'latency_stats',
  'sched_debug',
  'scsi',
  'timer_list',
  'timer_stats',
].map((name) => `/proc/${name}`);
const readonlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

/** A runtime tries a masked path as a file first, and the kernel waits for all processors when that fails: directories are covered here. */
function systemMounts(request: LaunchRequest, options: OciOptions, bind: Bind): readonly unknown[] {
  const { shown, covered } = viewOfSystem(options.system, request);
  const firmware = shown.some(({ from, to }) => from === '/sys' && to === from) && options.isDirectory('/sys/firmware');
  const cover = (destination: string): unknown => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['ro', 'nosuid', 'nodev', 'noexec', 'size=64k'],
  });
  return [
    ...shown.map((each) => bind(each.from, each.to, true)),
    ...[...(firmware ? ['/sys/firmware'] : []), ...covered].map(cover),
  ];
}

type Bind = (source: string, destination: string, readOnly: boolean, more?: readonly string[]) => unknown;

function binder({ mountinfo, isDirectory }: OciOptions): Bind {
  const flagsOf = lockedFlags(mountinfo);
  return (source, destination, readOnly, more = []) => {
    const directory = isDirectory(source);
    const kept = flagsOf(source).filter((flag) => flag !== 'ro');
    // `rro`: with what is mounted below it; of a file crun wants to hear nothing of that
    const access = readOnly ? (directory ? 'rro' : 'ro') : 'rw';
    const options = [...new Set([directory ? 'rbind' : 'bind', ...kept, access, 'nosuid', 'nodev', ...more])];
    return { destination, source, type: 'bind', options };
  };
}

function taskMounts(request: LaunchRequest, options: OciOptions, bind: Bind): readonly unknown[] {
  const { directories } = request;
  return [
    bind(directories.shared, '/alloc', false),
    bind(directories.logs, '/alloc/logs', true),
    ...outsideRoot(directories, ['local', 'tmp']).map((name) => bind(directories[name], `/${name}`, false)),
    bind(directories.secrets, '/secrets', false, ['noexec']),
    ...request.mounts.map((mount) =>
      bind(
        mount.hostPath,
        mount.taskPath,
        mount.readOnly,
        mount.propagation === 'bidirectional'
          ? ['rshared']
          : mount.propagation === 'host-to-task'
            ? ['rslave']
            : ['rprivate'],
      ),
    ),
    ...request.devices.map((device) => ({
      destination: device.taskPath,
      source: device.hostPath,
      type: 'bind',
      options: ['bind', 'nosuid'],
    })),
    bind(options.verifier, verifierInside, true),
  ];
}

function namespaces(request: LaunchRequest, options: OciOptions): readonly unknown[] {
  const { network } = request;
  return [
    { type: 'mount' },
    { type: 'uts' },
    { type: 'cgroup' },
    ...(request.pidMode === 'private' ? [{ type: 'pid' }] : []),
    ...(request.ipcMode === 'private' ? [{ type: 'ipc' }] : []),
    ...(network === null ? [] : network === 'none' ? [{ type: 'network' }] : [{ type: 'network', path: network.path }]),
    ...(options.mapping === null ? [] : [{ type: 'user' }]),
  ];
}

/** Root and the task's user inside, each an id of the host that nobody else has; nothing more is mapped. */
function mappings(options: OciOptions): { readonly uidMappings: unknown; readonly gidMappings: unknown } {
  const { mapping, inside } = options;
  if (mapping === null) return { uidMappings: [], gidMappings: [] };
  const map = (own: number): unknown =>
    own === 0
      ? [{ containerID: 0, hostID: mapping.user, size: 1 }]
      : [
          { containerID: 0, hostID: mapping.root, size: 1 },
          { containerID: own, hostID: mapping.user, size: 1 },
        ];
  return { uidMappings: map(inside.uid), gidMappings: map(inside.gid) };
}

/** Everything is denied; the runtime adds null, zero, random and the like by itself. */
function deviceRules({ devices }: LaunchRequest, { deviceOf }: OciOptions): readonly unknown[] {
  const given = devices.flatMap(({ hostPath, permissions }) => {
    const file = deviceOf(hostPath);
    if (file === null) return [];
    const { kind: type, major, minor } = file;
    return [{ allow: true, type, major, minor, access: permissions || 'rwm' }];
  });
  return [{ allow: false, access: 'rwm' }, ...given];
}
