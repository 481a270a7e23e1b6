/**
 * `driver = "auto"`: a task says what runs, each node by which driver. The strictest wins of those that are healthy there, can run the task
 * and keep its floor: by the rung that the node proved, then by the order of `autoCandidates`. docs/adr/0015.
 */
import { ownFilter } from './given-up.ts';
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

type Fitting = Pick<Task, 'Driver' | 'Config' | 'User'> & Partial<Pick<Task, 'Resources' | 'VolumeMounts'>>;
type Group = Pick<TaskGroup, 'Networks' | 'Tasks'>;
type Where = { readonly attributes: Node['Attributes']; readonly group: Group };

interface Candidate {
  readonly driver: string;
  /** What it runs brings files of its own, and would be root. */
  readonly ownFiles: boolean;
  /** Why it cannot run the task, whatever it proves; null: it can. */
  readonly unfit: (task: Fitting, where: Where) => string | null;
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
  // no capability and the same filter, as `exec` has them
  const strict = { cap_drop: ['all'], security_opt: [ownFilter] };
  return { image: config['image'], ...command(config), ...strict, ...(ports.length === 0 || own ? {} : { ports }) };
};

const said = (config: Config, name: string): boolean => typeof config[name] === 'string' && config[name] !== '';

const machine = (config: Config): Config => {
  const content = said(config, 'load') ? ['load', 'image'] : ['rootfs'];
  return { ...Object.fromEntries(content.map((name) => [name, config[name] ?? ''])), ...command(config) };
};

/** A machine has nothing of the host's: what a task could not do without is not taken from it by surprise. */
function unfitForMachine({ Config, Resources, VolumeMounts }: Fitting, { attributes, group }: Where): string | null {
  const mode = group.Networks?.[0]?.Mode;
  if (mode !== 'none' && mode !== 'bridge')
    return "its machines do not have the host's network: it takes groups of network mode bridge or none";
  if (group.Tasks.length > 1) return 'its machines share no loopback and no files with the other tasks of a group';
  if ((VolumeMounts ?? []).length > 0) return 'its machines have no volumes';
  const memory = Resources?.MemoryMB ?? leastMachineMb;
  if (memory < leastMachineMb) return `a machine needs ${leastMachineMb} MB of memory, not ${memory}`;
  const among = Config?.['among'];
  const named = Array.isArray(among) && among.includes('microvm');
  if (attributes?.['driver.microvm.kvm'] === '1' || named) return null;
  return 'its machines would be emulated here, some ten times slower; to have that, name it in among';
}

const leastMachineMb = 96;

const unfitForContainer = ({ Config }: Fitting): string | null =>
  said(Config ?? {}, 'image') ? null : 'the task has no image';

const unfitForHost = ({ Config }: Fitting): string | null =>
  said(Config ?? {}, 'image') && Config?.['require_image'] === true ? 'it runs no images' : null;

/** What the node says of a driver whose tasks would get no volumes there, for nothing makes a sandbox; null: they get them, or nobody knows. */
export function lackOfVolumes(attributes: Node['Attributes'], driver: string): string | null {
  return attributes?.[`driver.${driver}.volumes`] === '0' ? 'no volumes here: nothing makes a sandbox' : null;
}

const unfitForVolumes = ({ VolumeMounts }: Fitting, lack: string | null): string | null =>
  (VolumeMounts ?? []).length > 0 ? lack : null;

/** The stricter kind first; it decides between equal rungs. */
const autoCandidates: readonly Candidate[] = [
  { driver: 'microvm', ownFiles: true, unfit: unfitForMachine, options: machine },
  { driver: 'docker', ownFiles: true, unfit: unfitForContainer, options: container },
  { driver: 'podman', ownFiles: true, unfit: unfitForContainer, options: container },
  {
    driver: 'exec',
    ownFiles: false,
    unfit: (task, { attributes }) => unfitForHost(task) ?? unfitForVolumes(task, lackOfVolumes(attributes, 'exec')),
    options: command,
  },
  {
    driver: 'raw_exec',
    ownFiles: false,
    unfit: (task) => unfitForHost(task) ?? unfitForVolumes(task, 'it mounts no volumes'),
    options: command,
  },
];

export const autoDrivers: readonly string[] = autoCandidates.map(({ driver }) => driver);

/** The drivers that a task may get: those of its `among`, or all; a machine only where the task brings what runs in one. */
export function driversOf(task: Pick<Task, 'Driver' | 'Config'>): readonly string[] {
  if (task.Driver !== autoDriver) return [task.Driver];
  const config = task.Config ?? {};
  const { among } = config;
  const named = (name: string): boolean => !Array.isArray(among) || among.length === 0 || among.includes(name);
  const boxed = said(config, 'rootfs') || said(config, 'load');
  return autoDrivers.filter((name) => named(name) && (boxed || name !== 'microvm'));
}

/** As if the job had named the driver itself. */
export function withDriver<T extends Pick<Task, 'Driver' | 'Config' | 'User'>>(
  task: T,
  driver: string,
  group: Pick<TaskGroup, 'Networks'>,
): T {
  const candidate = autoCandidates.find((each) => each.driver === driver);
  if (task.Driver !== autoDriver || candidate === undefined) return task;
  const user = task.User || (candidate.ownFiles ? nobody : '');
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
  group: Group,
  task: Fitting,
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
  group: Group,
  task: Fitting,
  floor: IsolationFloor,
): Looked {
  const { driver } = candidate;
  const not = (text: string): Looked => ({ driver, strictness: null, text });
  const unfit = candidate.unfit(task, { attributes: node.Attributes, group });
  if (unfit !== null) return not(unfit);
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
