/** What runs on this host and what cgroups there are, as far as it belongs to the agents of a test. Linux; sees other users' as root only. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const pids = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

function environmentOf(pid: string): ReadonlyMap<string, string> {
  const entries = read(`/proc/${pid}/environ`)
    .split('\0')
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  return new Map(entries);
}

/** `"S"`, `"Z"`, … and the parent; null when it is gone. */
export function statusOf(
  pid: string,
): { readonly state: string; readonly parent: string; readonly startTime: string } | null {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return text === '' ? null : { state: fields[0]!, parent: fields[1]!, startTime: fields[19]! };
}

export interface Instance {
  /** Of the process that no other of the same task started. */
  readonly pid: string;
  readonly startTime: string;
  readonly allocId: string;
  readonly task: string;
}

/** One for each start of a task that still has a process; by the environment that every process of a task inherits. */
export function instances(): readonly Instance[] {
  const found = new Map<string, Instance & { readonly parent: string }>();
  for (const pid of pids()) {
    const env = environmentOf(pid);
    const allocId = env.get('NOMAD_ALLOC_ID');
    const status = statusOf(pid);
    if (allocId === undefined || status === null || status.state === 'Z') continue;
    found.set(pid, {
      pid,
      startTime: status.startTime,
      allocId,
      task: env.get('NOMAD_TASK_NAME') ?? '',
      parent: status.parent,
    });
  }
  return [...found.values()].filter(({ parent }) => !found.has(parent));
}

/** Supervisors (and the agent) hold files open below an agent's directory. */
function holdersOf(directory: string): readonly string[] {
  return pids().filter((pid) => {
    const links = [`/proc/${pid}/cwd`, ...list(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)];
    return links.some((path) => link(path).startsWith(`${directory}/`));
  });
}

/** Supervisors of the tasks of one agent directory. */
export function shimsOf(directory: string): readonly string[] {
  return pids().filter((pid) => taskOfShim(pid, directory) !== undefined);
}

/** `<allocation>.<task>.<generation>` of a supervisor, by the record that it holds open. */
export function taskOfShim(pid: string, directory: string): string | undefined {
  const held = list(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`));
  const record = held.find((path) => path.startsWith(`${directory}/`) && path.endsWith('/shim.pid'));
  return record?.split('/').at(-2);
}

/** Directories of cgroups below a parent of that name, in any hierarchy; the innermost first, the parents themselves last. */
export function cgroupsBelow(parent: string): readonly string[] {
  const mounts = read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((columns) => columns[2] === 'cgroup' || columns[2] === 'cgroup2')
    .map((columns) => columns[1]!);
  return mounts.flatMap((mount) => treeOf(join(mount, parent)));
}

function treeOf(path: string): string[] {
  if (!existsSync(path)) return [];
  const inner = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...inner.flatMap((entry) => treeOf(join(path, entry.name))), path];
}

export function mountsBelow(directory: string): readonly string[] {
  return read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
}

/** Ends by pid whatever an agent that was killed left running, and removes its cgroups. */
export async function endLeftovers(directory: string, cgroupParent: string): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const left = [
      ...holdersOf(directory),
      ...pids().filter((pid) => below(environmentOf(pid).get('NOMAD_ALLOC_DIR') ?? '', directory)),
    ];
    for (const pid of left) kill(Number(pid));
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const path of cgroupsBelow(cgroupParent)) {
    for (const pid of read(join(path, 'cgroup.procs')).split('\n').filter(Boolean)) kill(Number(pid));
  }
  for (let round = 0; round < 50 && cgroupsBelow(cgroupParent).length > 0; round++) {
    for (const path of cgroupsBelow(cgroupParent)) attempt(() => rmdirSync(path));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const below = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);

function kill(pid: number): void {
  if (pid > 1 && pid !== process.pid) attempt(() => process.kill(pid, 'SIGKILL'));
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // gone meanwhile
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
