/** What a task may not fall below: every demand on it put together; the highest wins. */
import type { Isolation, NamespaceIsolation } from './isolation.ts';
import {
  allLines,
  highestRung,
  type IsolationRung,
  lineNamed,
  linesOf,
  rankOf,
  rungNamed,
  rungs,
} from './isolation-ladder.ts';
import type { Job } from './job.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export const onDegradeChoices = ['warn', 'restart', 'stop'] as const;
export type OnDegrade = (typeof onDegradeChoices)[number];

export interface IsolationFloor {
  readonly min: IsolationRung;
  /** Lines, whatever the rung. */
  readonly require: readonly string[];
  /** `''`: not said. */
  readonly onDegrade: OnDegrade | '';
}

export const noFloor: IsolationFloor = { min: 'none', require: [], onDegrade: '' };

export function highestFloor(floors: readonly IsolationFloor[]): IsolationFloor {
  const said = floors.flatMap((each) => (each.onDegrade === '' ? [] : [each.onDegrade]));
  return {
    min: highestRung(floors.map((each) => each.min)),
    require: [...new Set(floors.flatMap((each) => each.require))],
    onDegrade: strictest(said),
  };
}

function strictest(given: readonly OnDegrade[]): OnDegrade | '' {
  return onDegradeChoices.findLast((each) => given.includes(each)) ?? '';
}

/**
 * What is done about a running task that lost these lines. Each demand speaks for itself and the strictest counts: what it says, or, where it
 * says nothing, `restart` if one of its own lines is gone (a start proves the floor anew or is refused), else `warn`.
 */
export function onLoss(demands: readonly IsolationFloor[], lost: readonly string[]): OnDegrade {
  const of = (demand: IsolationFloor): OnDegrade => {
    if (demand.onDegrade !== '') return demand.onDegrade;
    return linesWanted(demand).some((line) => lost.includes(line)) ? 'restart' : 'warn';
  };
  return strictest(demands.map(of)) || 'warn';
}

/** Of a checked demand. What is not known here (it comes of a newer server) nothing holds: such a demand is refused, not passed over. */
export function floorOf(demand: Pick<Isolation, 'Min' | 'Require' | 'OnDegrade'> | null | undefined): IsolationFloor {
  if (demand == null) return noFloor;
  return {
    min: rungNamed(demand.Min) ?? (demand.Min === '' ? 'none' : 'vm'),
    require: (demand.Require ?? []).map((name) => lineNamed(name) ?? name),
    onDegrade: onDegradeChoices.find((each) => each === demand.OnDegrade) ?? '',
  };
}

type Level = { readonly Isolation?: Isolation | null; readonly Meta: { readonly [key: string]: string } | null };

/** Jobs that must stay plain Nomad say it in `meta`: `drover_isolation_min = "sandbox"`, lists with commas. */
const metaKeys = {
  Min: 'drover_isolation_min',
  Require: 'drover_isolation_require',
  OnDegrade: 'drover_isolation_on_degrade',
} as const;

function fromMeta(meta: Level['Meta']): Pick<Isolation, 'Min' | 'Require' | 'OnDegrade'> {
  const text = (key: string): string => (meta !== null && Object.hasOwn(meta, key) ? (meta[key] ?? '') : '');
  return { Min: text(metaKeys.Min), Require: listed(text(metaKeys.Require)), OnDegrade: text(metaKeys.OnDegrade) };
}

function listed(names: string): readonly string[] {
  return names
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** What the job itself says about one of its tasks: all of it put together. */
export function floorOfTask(job: Job, group: TaskGroup, task: Task): IsolationFloor {
  const levels: readonly Level[] = [job, group, task];
  return highestFloor(levels.flatMap((each) => [floorOf(each.Isolation), floorOf(fromMeta(each.Meta))]));
}

/** A namespace's demand as far as it refuses: none where it only warns. */
export function enforcedFloor(demand: NamespaceIsolation | null | undefined): IsolationFloor {
  return demand?.Mode === 'enforce' ? floorOf(demand) : noFloor;
}

const nodeAttributes = { min: 'client.isolation.min', require: 'client.isolation.require' } as const;

/** What a node demands of every task on it, as its attributes tell the servers. */
export function floorAttributes({ min, require }: IsolationFloor): Readonly<Record<string, string>> {
  return {
    ...(min === 'none' ? {} : { [nodeAttributes.min]: min }),
    ...(require.length === 0 ? {} : { [nodeAttributes.require]: require.join(',') }),
  };
}

/** The same read back: `noFloor` of a node that demands nothing. */
export function floorOfNode({
  Attributes,
}: {
  readonly Attributes: { readonly [name: string]: string } | null;
}): IsolationFloor {
  const [Min, require] = [Attributes?.[nodeAttributes.min] ?? '', Attributes?.[nodeAttributes.require] ?? ''];
  return Min === '' && require === '' ? noFloor : floorOf({ Min, Require: listed(require), OnDegrade: '' });
}

export function isFloor(floor: IsolationFloor): boolean {
  return floor.min !== 'none' || floor.require.length > 0;
}

/** The lines that must be there: those of the lowest rung and all below, and the required ones. */
export function linesWanted(floor: IsolationFloor): readonly string[] {
  const byRung = rungs.slice(0, rankOf(floor.min) + 1).flatMap((rung) => linesOf[rung]);
  return [...new Set([...byRung, ...floor.require])];
}

/** What is wrong with the metadata of a dispatch, where a job lets it speak of isolation: it may demand more than the job's own, not less. */
export function dispatchedDemandProblems(own: Level['Meta'], given: Level['Meta']): readonly string[] {
  const demand = fromMeta({ ...own, ...given });
  const problems = demandProblems(demand);
  if (problems.length > 0) return problems;
  const [before, now] = [floorOf(fromMeta(own)), floorOf(demand)];
  const answer = (floor: IsolationFloor): OnDegrade => floor.onDegrade || (isFloor(floor) ? 'restart' : 'warn');
  const wanted = linesWanted(now);
  const keeps = linesWanted(before).every((line) => wanted.includes(line));
  return keeps && strictest([answer(before), answer(now)]) === answer(now)
    ? []
    : ['it demands less isolation than the job does'];
}

/** Every problem of one level's demand, its meta included. */
export function validateIsolation(level: Level): readonly string[] {
  return [...demandProblems(level.Isolation ?? null), ...demandProblems(fromMeta(level.Meta))];
}

type Demand = Pick<Isolation, 'Min' | 'Require' | 'OnDegrade'>;

export function demandProblems(demand: Demand | null): readonly string[] {
  return placedDemandProblems(demand).map(({ problem }) => problem);
}

/** `at`: the attribute that asks for what there is not. */
export function placedDemandProblems(
  demand: Demand | null,
): readonly { readonly at: 'min' | 'require' | 'on_degrade'; readonly problem: string }[] {
  if (demand === null) return [];
  const { Min, OnDegrade, Require } = demand;
  const rung = `isolation min is one of ${rungs.join(', ')}; got ${JSON.stringify(Min)}`;
  const answer = `isolation on_degrade is one of ${onDegradeChoices.join(', ')}; got ${JSON.stringify(OnDegrade)}`;
  const unknown = (Require ?? []).filter((name) => lineNamed(name) === undefined);
  return [
    ...(Min === '' || rungNamed(Min) !== undefined ? [] : [{ at: 'min', problem: rung } as const]),
    ...(OnDegrade === '' || (onDegradeChoices as readonly string[]).includes(OnDegrade)
      ? []
      : [{ at: 'on_degrade', problem: answer } as const]),
    ...unknown.map((name) => {
      const problem = `isolation require knows no ${JSON.stringify(name)}; it is of ${allLines.join(', ')}`;
      return { at: 'require', problem } as const;
    }),
  ];
}
