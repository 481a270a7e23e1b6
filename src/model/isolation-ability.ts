/**
 * What a task can get on a node, from what the node's drivers proved with trial tasks. The scheduler filters by it, `explain` shows it,
 * and the task's own report agrees with it. Node attributes, by driver:
 *   driver.exec.isolation                     "container": the best rung, of tasks with a network of their own
 *   driver.exec.isolation.rank                "3"
 *   driver.exec.isolation.lacks               "second_kernel,…": the lines that no task can have here
 *   driver.exec.isolation.host_network        "sandbox": the same for tasks that keep the host's network
 *   driver.exec.isolation.host_network.lacks
 *   driver.exec.isolation.writers.lacks       "user_namespace,devices": lines that tasks besides cannot have which may write a volume
 *   driver.exec.isolation.named.lacks         "unique_uid": lines that a task besides cannot have which keeps the user that its job names
 *   driver.exec.unheld                        "cpuset,io": controllers that no group of a task has
 *   driver.raw_exec.isolation.unasked         "none": what tasks get for which nobody demands anything
 */
import { asksForOwnFilter, type GivenUp, givenUpByContainer } from './given-up.ts';
import { type IsolationFloor, isFloor, linesWanted } from './isolation-floor.ts';
import { allLines, type IsolationRung, linesOf, rankOf, rungNamed, rungs, rungWith } from './isolation-ladder.ts';
import type { Node } from './node.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export interface IsolationAbility {
  readonly ownNetwork: ReadonlySet<string>;
  readonly hostNetwork: ReadonlySet<string>;
  /** Null: the same as where something is demanded. */
  readonly unasked: IsolationRung | null;
  /** Lines that a task besides loses which may write a volume. Default: none. */
  readonly lostByWriters?: readonly string[];
  /** Lines that a task besides loses which keeps the user that its job names. Default: none. */
  readonly lostByNamed?: readonly string[];
}

export function abilityAttributes(driver: string, ability: IsolationAbility): Readonly<Record<string, string>> {
  const own = `driver.${driver}.isolation`;
  const lacks = (lines: ReadonlySet<string>): string => allLines.filter((line) => !lines.has(line)).join(',');
  const best = rungWith(ability.ownNetwork);
  return {
    [own]: best,
    [`${own}.rank`]: String(rankOf(best)),
    [`${own}.lacks`]: lacks(ability.ownNetwork),
    [`${own}.host_network`]: rungWith(ability.hostNetwork),
    [`${own}.host_network.lacks`]: lacks(ability.hostNetwork),
    ...(ability.lostByWriters === undefined ? {} : { [`${own}.writers.lacks`]: ability.lostByWriters.join(',') }),
    ...(ability.lostByNamed === undefined ? {} : { [`${own}.named.lacks`]: ability.lostByNamed.join(',') }),
    ...(ability.unasked === null ? {} : { [`${own}.unasked`]: ability.unasked }),
  };
}

/** Null: the driver proved nothing here (it is not here, or it cannot). */
export function abilityOf(attributes: Node['Attributes'], driver: string): IsolationAbility | null {
  const text = (name: string): string | undefined => attributes?.[`driver.${driver}.isolation${name}`];
  const best = rungNamed(text('') ?? '');
  if (best === undefined) return null;
  const lines = (lacks: string | undefined, rung: IsolationRung): ReadonlySet<string> =>
    lacks === undefined
      ? new Set(rungs.slice(0, rankOf(rung) + 1).flatMap((each) => linesOf[each]))
      : new Set(allLines.filter((line) => !lacks.split(',').includes(line)));
  const ownNetwork = lines(text('.lacks'), best);
  const host = text('.host_network.lacks');
  return {
    ownNetwork,
    hostNetwork: host === undefined ? withoutNetwork(ownNetwork) : lines(host, best),
    unasked: rungNamed(text('.unasked') ?? '') ?? null,
  };
}

function withoutNetwork(lines: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...lines].filter((line) => line !== 'network_namespace' && line !== 'network_policy'));
}

export function hasOwnNetwork(group: Pick<TaskGroup, 'Networks'>): boolean {
  const mode = group.Networks?.[0]?.Mode ?? '';
  return mode !== '' && mode !== 'host';
}

const containerDrivers: ReadonlySet<string> = new Set(['docker', 'podman']);

/** Drivers whose tasks have no capability of their own by which they could bind a low port. */
const sandboxedDrivers: ReadonlySet<string> = new Set(['exec', 'java', 'qemu', 'wasm']);

function lowPort(group: Pick<TaskGroup, 'Networks'>): number | undefined {
  const ports = (group.Networks ?? []).flatMap(({ ReservedPorts }) => ReservedPorts ?? []);
  return ports.map(({ Value = 0 }) => Value).find((value) => value > 0 && value < 1024);
}

/** Of a group; and of a task, as far as they say how it is isolated. */
type IsolatedGroup = Pick<TaskGroup, 'Networks'> & Partial<Pick<TaskGroup, 'Volumes'>>;
type IsolatedTask = Pick<Task, 'Config'> & Partial<Pick<Task, 'Driver' | 'User' | 'VolumeMounts' | 'Resources'>>;

function writesVolume({ Volumes }: IsolatedGroup, { VolumeMounts }: IsolatedTask): boolean {
  return (VolumeMounts ?? []).some(({ Volume, ReadOnly }) => ReadOnly !== true && Volumes?.[Volume]?.ReadOnly !== true);
}

/** Others have an id of their own, whatever they are called. */
function keepsNamedUser({ Driver, User, VolumeMounts }: IsolatedTask): boolean {
  const named = (User ?? '') !== '' && !/^(root|0+)(:|$)/.test(User ?? '');
  return named && (Driver === 'raw_exec' || (VolumeMounts ?? []).length > 0);
}

/** What the job's own choices cost on this node. */
export function givenUp(attributes: Node['Attributes'], group: IsolatedGroup, task: IsolatedTask): readonly GivenUp[] {
  const config = task.Config ?? {};
  const found: GivenUp[] = containerDrivers.has(task.Driver ?? '') ? [...givenUpByContainer(task)] : [];
  if (!hasOwnNetwork(group)) {
    for (const line of ['network_namespace', 'network_policy'])
      found.push({
        line,
        because: "the group keeps the host's network",
        remedy: 'network { mode = "none" } or { mode = "bridge" } in the group',
      });
  }
  if (Array.isArray(config['cap_add']) && config['cap_add'].length > 0) {
    found.push({ line: 'empty_capabilities', because: 'cap_add', remedy: 'leave cap_add out' });
    if (config['cap_add'].some((name) => /^(all|(cap_)?sys_resource)$/i.test(String(name))))
      found.push({ line: 'disk_quota', because: 'CAP_SYS_RESOURCE', remedy: 'leave it out of cap_add' });
  }
  const low = hasOwnNetwork(group) || !sandboxedDrivers.has(task.Driver ?? '') ? undefined : lowPort(group);
  if (low !== undefined) {
    found.push({
      line: 'empty_capabilities',
      because: `port ${low} is below 1024, so tasks get NET_BIND_SERVICE`,
      remedy: 'network { mode = "bridge" } in the group, or a port from 1024 on',
    });
  }
  if (task.Driver === 'raw_exec' && /^(root|0)(:|$)/.test(task.User ?? '')) {
    const because = `user = ${JSON.stringify(task.User)}`;
    for (const line of ['not_root', 'own_uid', 'unique_uid'])
      found.push({ line, because, remedy: 'another user in the task, or exec, whose root is none of the host' });
  }
  if (task.Driver === 'raw_exec' && /^(?!(root|0):).*:(root|0)$/.test(task.User ?? '')) {
    const because = `user = ${JSON.stringify(task.User)}`;
    found.push({ line: 'not_root', because, remedy: 'another group in the task' });
  }
  const unheld = (attributes?.[`driver.${task.Driver}.unheld`] ?? '').split(',');
  const limited = {
    cpuset: (task.Resources?.Cores ?? 0) > 0 && 'cores',
    io: Number(config['io_weight'] ?? 0) > 0 && 'io_weight',
  };
  for (const [controller, because] of Object.entries(limited)) {
    if (because !== false && unheld.includes(controller))
      found.push({ line: 'cgroup_limits', because, remedy: `a writable ${controller} controller, or no ${because}` });
  }
  const lost = attributes?.[`driver.${task.Driver}.isolation.writers.lacks`] ?? '';
  if (lost !== '' && writesVolume(group, task)) {
    const because = "a task that may write a volume, which is the agent's user's, has that user's id here";
    for (const line of lost.split(',')) found.push({ line, because, remedy: 'read_only = true in its volume_mount' });
  }
  const named = attributes?.[`driver.${task.Driver}.isolation.named.lacks`] ?? '';
  if (named !== '' && keepsNamedUser(task)) {
    const because = `user = ${JSON.stringify(task.User)}, whose id the task keeps${task.Driver === 'raw_exec' ? '' : ', for its volumes belong to it'}`;
    for (const line of named.split(',')) found.push({ line, because, remedy: 'leave user out of the task' });
  }
  for (const kind of ['pid', 'ipc'] as const) {
    if (config[`${kind}_mode`] === 'host') {
      found.push({
        line: `${kind}_namespace`,
        because: `${kind}_mode = "host"`,
        remedy: `leave ${kind}_mode out`,
      });
    }
  }
  return found;
}

export interface Prediction {
  readonly rung: IsolationRung;
  readonly lines: ReadonlySet<string>;
  /** Lines that the floor wants and the task would not get; empty: it may run. */
  readonly missing: readonly string[];
}

/** What a task of this driver would be verified to have on this node. */
export function predictIsolation(
  attributes: Node['Attributes'],
  group: IsolatedGroup,
  task: Pick<Task, 'Driver'> & IsolatedTask,
  floor: IsolationFloor,
): Prediction | null {
  const ability = abilityOf(attributes, task.Driver);
  if (ability === null) return null;
  const given = hasOwnNetwork(group) ? ability.ownNetwork : ability.hostNetwork;
  const lost = new Set(givenUp(attributes, group, task).map(({ line }) => line));
  // without a group that ends as one, the pid namespace is what is killed
  if (lost.has('pid_namespace') && (attributes?.['isolation.cgroup.kill'] ?? 'verified') !== 'verified')
    lost.add('kill_unit');
  const possible = new Set([...given].filter((line) => !lost.has(line)));
  const asked = isFloor(floor) || asksForOwnFilter(task);
  const lines = asked || ability.unasked === null ? possible : withRung(possible, ability.unasked);
  return { rung: rungWith(lines), lines, missing: linesWanted(floor).filter((line) => !lines.has(line)) };
}

function withRung(lines: ReadonlySet<string>, rung: IsolationRung): ReadonlySet<string> {
  const upTo = new Set(rungs.slice(0, rankOf(rung) + 1).flatMap((each) => linesOf[each]));
  return new Set([...lines].filter((line) => upTo.has(line)));
}
