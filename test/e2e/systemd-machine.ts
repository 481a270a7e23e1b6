/**
 * A real systemd as process 1 of namespaces of its own: processes, mounts, network, host name and cgroups. Its root is a tmpfs with
 * this machine's programs in it, read-only. Needs root and a systemd that is installed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../agent-process.ts';

const systemd = ['/lib/systemd/systemd', '/usr/lib/systemd/systemd'].find(existsSync);

/** Why there is none here; empty: it can be started. */
export const noSystemd =
  process.getuid?.() !== 0 ? 'needs root' : systemd === undefined ? 'systemd is not installed' : '';

export interface SystemdMachine {
  /** Of its process 1, as this machine counts. */
  readonly pid: number;
  /** Before a command: it runs in there. */
  readonly enter: readonly string[];
  run(...command: string[]): { status: number | null; stdout: string; stderr: string };
  /** Ends everything in it and takes its cgroups away. */
  end(): Promise<void>;
}

export interface SystemdMachineOptions {
  /** Path inside → text or file of this machine; `/usr/local/bin` is empty but for these. */
  readonly files?: Readonly<Record<string, { readonly text: string } | { readonly copy: string }>>;
  /** Folders of this machine, below its /tmp, that are in it too, as they are. */
  readonly shared?: readonly string[];
}

/** Hierarchies that are mounted here: [options of the mount, its place, this process's group below it]. */
function hierarchies(): {
  readonly name: string;
  readonly at: string;
  readonly unified: boolean;
  readonly own: string;
}[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const own = readFileSync('/proc/self/cgroup', 'utf8')
    .trim()
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line)!);
  return own.flatMap(([, name = '', path = '/']) => {
    const unified = name === '';
    const mount = mounts.find(
      ([, , type = '', options = '']) =>
        type === (unified ? 'cgroup2' : 'cgroup') &&
        (unified || name.split(',').every((each) => options.split(',').includes(each))),
    );
    return mount === undefined ? [] : [{ name, at: mount[1]!, unified, own: path }];
  });
}

const script = (
  root: string,
  groups: readonly { name: string; at: string; unified: boolean; folder: string }[],
  shared: readonly string[],
): string => `
set -e
for f in ${groups.map(({ folder }) => `'${folder}'`).join(' ')}; do echo $$ > $f/cgroup.procs; done
exec unshare --mount --pid --fork --uts --ipc --net --cgroup sh -e -c '
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs ${root}
cd ${root}
for d in usr lib lib64 bin sbin; do
  if [ -L /$d ]; then ln -s "$(readlink /$d)" $d; elif [ -d /$d ]; then mkdir $d; mount --rbind -o ro /$d $d; fi
done
mount -t tmpfs -o mode=755 tmpfs usr/local/bin
mkdir -p etc/systemd/system proc sys dev run tmp var/lib var/tmp root
chmod 1777 tmp var/tmp
${shared.map((path) => `mkdir -p .${path}; mount --bind ${path} .${path}`).join('\n')}
cp /etc/passwd /etc/group etc/
cp /etc/ld.so.cache etc/ || true
echo ID=bare > etc/os-release
echo 0123456789abcdef0123456789abcdef > etc/machine-id
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
${
  groups.length === 1 && groups[0]!.unified
    ? 'mount -t cgroup2 cgroup2 sys/fs/cgroup'
    : [
        'mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup',
        ...groups.flatMap(({ name, at, unified }) => {
          const folder = at.slice(at.lastIndexOf('/') + 1);
          const options = name.startsWith('name=') ? `none,${name}` : name;
          return [
            `mkdir sys/fs/cgroup/${folder}`,
            unified
              ? `mount -t cgroup2 cgroup2 sys/fs/cgroup/${folder}`
              : `mount -t cgroup -o ${options} cgroup sys/fs/cgroup/${folder}`,
          ];
        }),
      ].join('\n')
}
cp -r ${root}.files/. .
ip link set lo up
export container=drover-test
exec chroot . ${systemd} --system --unit=basic.target --log-target=null --show-status=0
'
`;

export async function startSystemd({ files = {}, shared = [] }: SystemdMachineOptions): Promise<SystemdMachine> {
  const root = mkdtempSync(join(tmpdir(), 'drover-systemd-'));
  const groups = hierarchies().map((each) => ({
    ...each,
    folder: join(each.at, each.own, `drover-systemd-${process.pid}`),
  }));
  for (const { folder, name, at } of groups) {
    mkdirSync(folder);
    if (name === 'cpuset')
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        writeFileSync(join(folder, file), readFileSync(join(at, file), 'utf8'));
  }
  mkdirSync(`${root}.files`);
  for (const [path, source] of Object.entries(files)) {
    const at = join(`${root}.files`, path);
    mkdirSync(join(at, '..'), { recursive: true });
    if ('text' in source) writeFileSync(at, source.text);
    else spawnSync('cp', ['-p', source.copy, at]);
  }
  const text = script(root, groups, shared);
  const child = spawn('sh', ['-c', text], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const machine = { pid: 0 };
  const end = async (): Promise<void> => {
    await kill(child, machine.pid);
    await eventually(
      () => {
        for (const { folder } of groups) removeGroups(folder);
      },
      20_000,
      200,
    );
    rmSync(`${root}.files`, { recursive: true, force: true });
    rmSync(root, { recursive: true, force: true });
  };
  const enter = (): readonly string[] => ['nsenter', '-t', String(machine.pid), '-a', '-r', '-w', '--'];
  const run = (...command: string[]) => {
    const [program = '', ...args] = [...enter(), ...command];
    return spawnSync(program, args, { encoding: 'utf8' });
  };
  try {
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
        machine.pid = firstChildOf(child.pid!);
        const { stdout, stderr } = run('systemctl', 'is-active', 'basic.target');
        if (stdout.trim() !== 'active') throw new Error(`systemd is not up: ${stdout}${stderr}${said}`);
      },
      60_000,
      200,
    );
  } catch (error) {
    await end().catch(() => {});
    throw error;
  }
  return { pid: machine.pid, enter: enter(), run, end };
}

export function firstChildOf(pid: number): number {
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  if (first === undefined || first === '') throw new Error(`${pid} has no child yet`);
  return Number(first);
}

/** With process 1 of a namespace ends everything in it. */
async function kill(child: ChildProcess, pid: number): Promise<void> {
  const gone = child.exitCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null) process.kill(pid === 0 ? child.pid! : pid, 'SIGKILL');
  await gone;
}

function removeGroups(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(folder, entry.name));
  rmdirSync(folder);
}
