/** Which cgroup controllers this host has, each in the hierarchy where it really lives (v1, v2, or hybrid: both). */
import { constants } from 'node:fs';
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';
import { kernelText, writeKernelText } from '../../lib/node/kernel-file.ts';
import { readMounts } from '../../lib/node/mount-table.ts';

/** Those that are of use; a v1 hierarchy of others is left alone. v1 calls `io` blkio. */
const controllers = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'freezer', 'devices', 'io'] as const;

/** One mounted hierarchy, and the directory in it under which task groups are made. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly mount: string;
  /** Absolute; exists once `prepareHierarchies` has resolved. */
  readonly parent: string;
  readonly controllers: readonly string[];
}

export interface CgroupHost {
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none';
  readonly hierarchies: readonly Hierarchy[];
  /** Below each hierarchy: `"drover.slice"`. */
  readonly parentName: string;
  /** Why there are none, or why some cannot be used. */
  readonly reason: string;
}

export const noCgroups: CgroupHost = { mode: 'none', hierarchies: [], parentName: '', reason: 'not on this system' };

interface Mounted {
  readonly version: 1 | 2;
  readonly mount: string;
  readonly controllers: readonly string[];
}

/** mountinfo → cgroup mounts; the first mount of a hierarchy counts. */
function parseCgroupMounts(mountinfo: string): readonly Mounted[] {
  const found = new Map<string, Mounted>();
  for (const { point: mount, type, superOptions } of readMounts(mountinfo)) {
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const names = superOptions
      .split(',')
      .map((name) => (name === 'blkio' ? 'io' : name))
      .filter((name) => (controllers as readonly string[]).includes(name));
    if (type === 'cgroup' && names.length === 0) continue;
    const key = type === 'cgroup2' ? 'v2' : names.join(',');
    if (!found.has(key)) found.set(key, { version: type === 'cgroup2' ? 2 : 1, mount, controllers: names });
  }
  return [...found.values()];
}

/** `/proc/self/cgroup` → the agent's own path in a hierarchy, by its controllers (`''` for v2). */
function parseOwnCgroups(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\n')
      .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map((match) => [(match[1] ?? '').replace('blkio', 'io'), match[2] ?? '/'] as const),
  );
}

/**
 * Finds the hierarchies and makes the parent group in each; one that cannot be written is left out and named in `reason`.
 * `parentName`: e.g. `"nomad.slice"` → `<mount>/nomad.slice`. Without root only a delegated v2 subtree (the agent's own) is tried.
 */
export async function openCgroups(parentName: string): Promise<CgroupHost> {
  if (process.platform !== 'linux') return noCgroups;
  const mounted = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''));
  const own = parseOwnCgroups(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  const root = process.geteuid?.() === 0;
  const hierarchies: Hierarchy[] = [];
  const refused: Refusal[] = [];
  for (const each of mounted) {
    try {
      const opened = await openHierarchy(
        each,
        parentName,
        root ? '/' : delegated(own.get(each.controllers.join(',')) ?? '/'),
      );
      hierarchies.push(opened.hierarchy);
      if (opened.shared !== '') refused.push({ mount: opened.shared, why: sharedGroup });
    } catch (error) {
      refused.push({ mount: each.mount, why: (error as NodeJS.ErrnoException).code ?? String(error) });
    }
  }
  const useful = hierarchies.some((each) => each.controllers.length > 0);
  const versions = new Set(hierarchies.map((each) => each.version));
  const mode = hierarchies.length === 0 ? 'none' : versions.size === 2 ? 'hybrid' : versions.has(2) ? 'v2' : 'v1';
  const reason = refusedText(refused) || (mounted.length === 0 ? 'no cgroup file system is mounted' : '');
  return {
    mode,
    hierarchies,
    parentName,
    reason: useful || hierarchies.length === 0 ? reason : `no controller can be used${reason && `; ${reason}`}`,
  };
}

/** Where an agent without root goes to in its subtree: a group that hands controllers down holds no process itself. */
const leaf = 'drover-agent';

/** The agent's own path → the subtree that was given to it, also where it has left the top of it before. */
function delegated(own: string): string {
  return own.endsWith(`/${leaf}`) ? own.slice(0, -leaf.length - 1) : own;
}

interface Refusal {
  readonly mount: string;
  readonly why: string;
}

/** `"EACCES: /sys/fs/cgroup/cpu and 7 more"` */
function refusedText(refused: readonly Refusal[]): string {
  const reasons = [...new Set(refused.map(({ why }) => why))];
  return reasons
    .map((why) => {
      const [first, ...others] = refused.filter((each) => each.why === why).map(({ mount }) => mount);
      return `${why}: ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`;
    })
    .join('; ');
}

/** Why a group hands nothing down. */
export const sharedGroup = 'processes of others are in it';

/** `shared`: the group above, where processes of others keep it from handing controllers down. */
async function openHierarchy(
  mounted: Mounted,
  parentName: string,
  own: string,
): Promise<{ readonly hierarchy: Hierarchy; readonly shared: string }> {
  const base = join(mounted.mount, own).replace(/\/$/, '');
  const parent = join(base, parentName);
  // said before mkdir would: making directories all the way down hides why it cannot
  await access(base, constants.W_OK);
  makeDirectories(parent);
  await access(join(parent, 'cgroup.procs'), constants.W_OK);
  // making a group is the question: it can be refused where the parent's files are ours
  const trial = join(parent, `.trial-${process.pid}`);
  await mkdir(trial);
  await rmdir(trial);
  if (mounted.version === 1) {
    if (mounted.controllers.includes('cpuset')) inheritCpuset(base, parent);
    const { mount, controllers } = mounted;
    return { hierarchy: { version: 1, mount, parent, controllers }, shared: '' };
  }
  const had = await delegate(base, parent);
  return {
    hierarchy: { version: 2, mount: mounted.mount, parent, controllers: had ?? [] },
    shared: had === null ? base : '',
  };
}

/** Hands every controller that can be had down to the children of `parent`; null: others are in the way. */
async function delegate(base: string, parent: string): Promise<readonly string[] | null> {
  const offered = (await readFile(join(base, 'cgroup.controllers'), 'utf8'))
    .split(/\s+/)
    .filter((each) => ['cpu', 'cpuset', 'memory', 'pids', 'io'].includes(each));
  if (offered.length === 0) return [];
  const had: string[] = [];
  // the host's own root has no type; what a container takes for its root is a group like others
  const isInner = await access(join(base, 'cgroup.type')).then(
    () => true,
    () => false,
  );
  if (isInner && !(await leaveTop(base))) return null;
  for (const name of offered) {
    try {
      await writeFile(join(base, 'cgroup.subtree_control'), `+${name}`);
      await writeFile(join(parent, 'cgroup.subtree_control'), `+${name}`);
      had.push(name);
    } catch {
      // not delegated: this controller cannot be used
    }
  }
  return had;
}

/**
 * The agent gets out of the way, itself and what it started. False: others are there too; then nothing may be handed down: the kernel would
 * take some controllers all the same, and no process would get into a group below any more.
 */
async function leaveTop(base: string): Promise<boolean> {
  for (let attempt = 1; attempt <= 20; attempt++) {
    const inside = (await readFile(join(base, 'cgroup.procs'), 'utf8')).split('\n').filter((pid) => pid !== '');
    if (inside.length === 0) return true;
    makeDirectories(join(base, leaf));
    const parents = await Promise.all(inside.map((pid) => parentOf(pid)));
    const ours = inside.filter((pid, index) => [pid, parents[index]].includes(String(process.pid)));
    // one that has ended meanwhile needs no place
    for (const pid of ours) await writeFile(join(base, leaf, 'cgroup.procs'), pid).catch(() => undefined);
    // what probes started ends by itself
    if (ours.length < inside.length) await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

async function parentOf(pid: string): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '';
}

/** A v1 cpuset group takes no process before it has cpus and memory nodes of its own. */
export function inheritCpuset(from: string, to: string): void {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    if (kernelText(join(to, name)).trim() === '') writeKernelText(join(to, name), kernelText(join(from, name)).trim());
  }
}
