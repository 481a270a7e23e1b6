/**
 * The control groups that plugins on the Go packages of 1.7 and later take for granted: what runs their tasks enters groups that the host
 * is to have made, and fails where they are missing. Their names are those the plugins know; only root has them.
 *
 *   v1   <hierarchy>/nomad/<allocation>.<task> of freezer, cpu and memory; cpuset/nomad/share, or reserve/… with cores of its own
 *   v2   nomad.slice/share.slice/<allocation>.<task>.scope, or reserve.slice/… with cores of its own
 */
import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import { inheritCpuset } from '../../isolation/cgroup/hierarchy.ts';
import { removeTaskCgroup } from '../../isolation/cgroup/task-cgroup.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import { kernelText, writeKernelText } from '../../lib/node/kernel-file.ts';
import { emptyKillUnit, processesIn } from '../../supervise/kill-unit.ts';
import { Turns } from '../turns.ts';

const top = '/sys/fs/cgroup';
const controllers = ['cpuset', 'cpu', 'io', 'memory', 'pids'];

interface Groups {
  readonly version: 1 | 2;
  /** The task's own, which end with it. */
  readonly own: readonly string[];
  /** What the plugin is told. */
  readonly told: string;
}

/** There is one such tree on a host. Allocation and task → the start of it that uses its groups: they carry no generation. */
const users = new Map<string, string>();
const turns = new Turns();

/** As the plugins look at a host: null is one in which they use no groups. */
function groupsOf(scope: string, reserved: boolean): Groups | null {
  const version = process.geteuid?.() === 0 ? mountedVersion() : null;
  if (version === null) return null;
  const part = reserved ? 'reserve' : 'share';
  if (version === 2) {
    const path = join(top, 'nomad.slice', `${part}.slice`, `${scope}.scope`);
    return { version, own: [path], told: path };
  }
  const told = reserved ? join(top, 'cpuset/nomad/reserve', scope) : join(top, 'cpuset/nomad/share');
  const own = ['freezer', 'cpu', 'memory'].map((each) => join(top, each, 'nomad', scope));
  return { version, own: reserved ? [...own, told] : own, told };
}

const scopeOf = (taskId: string): string => taskId.split('/').slice(0, 2).join('.');

let mounted: 1 | 2 | null | undefined;

function mountedVersion(): 1 | 2 | null {
  mounted ??= readVersion();
  return mounted;
}

function readVersion(): 1 | 2 | null {
  const mount = kernelText('/proc/self/mountinfo')
    .split('\n')
    .find((line) => line.split(' ')[4] === top);
  if (mount === undefined) return null;
  if (/ - tmpfs /.test(mount)) return 1;
  const offered = kernelText(join(top, 'cgroup.controllers')).split(/\s+/);
  return / - cgroup2 /.test(mount) && controllers.every((each) => offered.includes(each)) ? 2 : null;
}

/** Idempotent. The path a plugin is told for its task; `""`: there are none here. Throws what the kernel says. */
export function makePluginGroups({ id, resources }: TaskConfig): Promise<string> {
  const scope = scopeOf(id);
  const groups = groupsOf(scope, resources.cpusetCpus !== '');
  if (groups === null) return Promise.resolve('');
  return turns.take(scope, async () => {
    users.set(scope, id);
    if (groups.version === 2) makeUnified(groups.told);
    else {
      for (const path of [...groups.own, groups.told]) makeDirectories(path);
      for (const path of upTo(groups.told, join(top, 'cpuset')).reverse()) inheritCpuset(dirname(path), path);
    }
    return groups.told;
  });
}

function makeUnified(path: string): void {
  makeDirectories(path);
  // from the top down: a child has what its parent hands on
  for (const parent of [top, ...upTo(dirname(path), top).reverse()])
    for (const each of controllers) handOn(parent, each);
}

function handOn(parent: string, controller: string): void {
  try {
    writeKernelText(join(parent, 'cgroup.subtree_control'), `+${controller}`);
  } catch {
    // handed on by somebody else, or not to be had: what runs the task says what it misses
  }
}

/** What still runs there is ended, unless a later start of the same task uses it. Parents go with the last task. */
export async function removePluginGroups(taskId: string): Promise<void> {
  const scope = scopeOf(taskId);
  await turns.take(scope, async () => {
    if ((users.get(scope) ?? taskId) !== taskId) return;
    users.delete(scope);
    const own = [false, true]
      .flatMap((reserved) => groupsOf(scope, reserved)?.own ?? [])
      .filter((path) => existsSync(path));
    if (own.length === 0) return;
    const { pids, unread } = await processesIn(own);
    if (pids.size > 0 || unread.length > 0) await emptyKillUnit({ kind: 'cgroup', directories: own });
    const directories = own.map((path) => ({ version: 1, path, controllers: [], ours: true }) as const);
    await removeTaskCgroup({ name: scope, directories });
    if (users.size === 0) await removeParents();
  });
}

/** Where somebody is in them they stay. */
async function removeParents(): Promise<void> {
  const v1 = ['cpuset/nomad/share', 'cpuset/nomad/reserve'];
  const tops = ['cpuset', 'cpu', 'memory', 'freezer'].map((each) => `${each}/nomad`);
  const v2 = ['nomad.slice/share.slice', 'nomad.slice/reserve.slice', 'nomad.slice'];
  for (const path of mountedVersion() === 1 ? [...v1, ...tops] : v2) await rmdir(join(top, path)).catch(() => {});
}

/** `/a/b/c` up to `/a`: `/a/b/c`, `/a/b`. */
function upTo(path: string, end: string): string[] {
  return path === end || path === '/' ? [] : [path, ...upTo(dirname(path), end)];
}
