/**
 * `driver = "auto"`: a task says what runs, each node by which driver. The strictest wins of those that are healthy there, can run the task
 * and keep its floor: by the rung that the node proved, then by the order of `autoCandidates`. docs/adr/0015.
 */
import { predictIsolation } from './isolation-ability.ts';
import type { IsolationFloor } from './isolation-floor.ts';
import { isFloor } from './isolation-floor.ts';
import { rankOf } from './isolation-ladder.ts';
import type { Node } from './node.ts';
import { type Infer, noun, string } from './schema.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export const autoDriver = 'auto';

/** What is kept with a task and shown. */
export const DriverChoice = noun('DriverChoice', {
  /** Empty: none can run it here. */
  Driver: string(),
  /** Every driver that was looked at, in words. */
  Reason: string(),
});
export type DriverChoice = Infer<typeof DriverChoice>;

/** Of a plan: what one allocation's task would get on the node it would be placed on. */
export interface PlannedDriver extends DriverChoice {
  readonly TaskGroup: string;
  readonly Task: string;
  readonly NodeID: string;
  readonly NodeName: string;
}

type Config = Readonly<Record<string, unknown>>;

interface Candidate {
  readonly driver: string;
  /** It runs images only. */
  readonly needsImage: boolean;
  /** Its own options, of those of "auto". */
  readonly options: (config: Config, group: Pick<TaskGroup, 'Networks'>) => Config;
}

const command = ({ command, args }: Config): Config => ({
  ...(command === undefined ? {} : { command }),
  ...(args === undefined ? {} : { args }),
});

/** As `exec` has it of tasks that name no user; most images would make it root. */
const nobody = '65534:65534';

/** Ports of a group that keeps the host's network lead into the container at the same numbers. */
const container = (config: Config, group: Pick<TaskGroup, 'Networks'>): Config => {
  const [network] = group.Networks ?? [];
  const ports = [...(network?.DynamicPorts ?? []), ...(network?.ReservedPorts ?? [])].map(({ Label }) => Label);
  const own = network !== undefined && network.Mode !== '' && network.Mode !== 'host';
  // no capability, as `exec` gives none
  const strict = { cap_drop: ['all'] };
  return { image: config['image'], ...command(config), ...strict, ...(ports.length === 0 || own ? {} : { ports }) };
};

/** The stricter kind first; it decides between equal rungs. */
const autoCandidates: readonly Candidate[] = [
  { driver: 'docker', needsImage: true, options: container },
  { driver: 'podman', needsImage: true, options: container },
  { driver: 'exec', needsImage: false, options: command },
  { driver: 'raw_exec', needsImage: false, options: command },
];

export const autoDrivers: readonly string[] = autoCandidates.map(({ driver }) => driver);

/** The drivers that a task may get: all, or those of its `among`. */
export function driversOf(task: Pick<Task, 'Driver' | 'Config'>): readonly string[] {
  if (task.Driver !== autoDriver) return [task.Driver];
  const among = task.Config?.['among'];
  return Array.isArray(among) && among.length > 0 ? autoDrivers.filter((name) => among.includes(name)) : autoDrivers;
}

/** As if the job had named the driver itself. */
export function withDriver<T extends Pick<Task, 'Driver' | 'Config' | 'User'>>(
  task: T,
  driver: string,
  group: Pick<TaskGroup, 'Networks'>,
): T {
  const candidate = autoCandidates.find((each) => each.driver === driver);
  if (task.Driver !== autoDriver || candidate === undefined) return task;
  const user = task.User || (candidate.needsImage ? nobody : '');
  return { ...task, Driver: driver, User: user, Config: candidate.options(task.Config ?? {}, group) };
}

interface Looked {
  readonly driver: string;
  /** Null: it cannot run the task here. */
  readonly strictness: number | null;
  readonly text: string;
}

/** What this node would run a task of "auto" by, and why not by the others. */
export function chooseDriver(
  node: Pick<Node, 'Drivers' | 'Attributes'>,
  group: Pick<TaskGroup, 'Networks'>,
  task: Pick<Task, 'Driver' | 'Config' | 'User'>,
  floor: IsolationFloor,
): DriverChoice {
  const may = driversOf(task);
  const looked = autoCandidates
    .filter(({ driver }) => may.includes(driver))
    .map((candidate) => lookAt(candidate, node, group, task, floor));
  const best = looked.reduce<Looked | null>(
    (found, each) => (each.strictness !== null && each.strictness > (found?.strictness ?? -1) ? each : found),
    null,
  );
  const texts = looked.map(({ driver, text }) => `${driver}: ${text}`);
  return { Driver: best?.driver ?? '', Reason: texts.join('; ') || 'among names no driver that there is' };
}

function lookAt(
  candidate: Candidate,
  node: Pick<Node, 'Drivers' | 'Attributes'>,
  group: Pick<TaskGroup, 'Networks'>,
  task: Pick<Task, 'Driver' | 'Config' | 'User'>,
  floor: IsolationFloor,
): Looked {
  const { driver, needsImage } = candidate;
  const not = (text: string): Looked => ({ driver, strictness: null, text });
  const config = task.Config ?? {};
  const image = typeof config['image'] === 'string' && config['image'] !== '';
  if (needsImage && !image) return not('the task has no image');
  if (!needsImage && image && config['require_image'] === true) return not('it runs no images');
  const info = node.Drivers?.[driver];
  if (info === undefined || !info.Detected) return not('not on this node');
  if (!info.Healthy) return not(`unhealthy here (${info.HealthDescription})`);
  const predicted = predictIsolation(node.Attributes, group, withDriver({ ...task }, driver, group), floor);
  // what tells nothing of its isolation cannot be shown to keep a floor, and comes after what proved a sandbox
  if (predicted === null)
    return isFloor(floor) ? not('proves no isolation here') : { driver, strictness: 1, text: 'tells no rung' };
  if (predicted.missing.length > 0)
    return not(`gives "${predicted.rung}" here, below the floor; missing: ${predicted.missing.join(', ')}`);
  return { driver, strictness: rankOf(predicted.rung), text: `rung "${predicted.rung}"` };
}
