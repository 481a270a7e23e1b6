/**
 * What tasks get here, found out by starting one: the same path as a job's task, with a command that tries what it must not do. Once for
 * each way of isolating and boot; drivers that isolate alike share it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandSpec, IsolationReport, TaskConfig } from '../driver/contract.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { rankOf, rungs } from '../isolation/lines.ts';
import { isOci, sandboxMakers } from '../isolation/rungs.ts';
import { removingOfTasks } from '../isolation/subordinate.ts';
import type { Tried } from '../isolation/tries.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import { abilityAttributes, type IsolationAbility } from '../model/isolation-ability.ts';
import { linesOf } from '../model/isolation-ladder.ts';
import { mechanismsOf } from '../model/isolation-losses.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { type MadeTrial, makeTrial, type TrialWish, trialDirectory } from './trial-task.ts';

/**
 * The node attributes `driver.<name>.isolation…`: what tasks of this wish are verified to have. `unasked`: the rung of tasks for which nobody
 * demands anything; null: the same.
 */
export async function triedIsolation(
  deps: DriverDeps,
  driver: string,
  wish: TrialWish,
  unasked: IsolationAbility['unasked'] = null,
): Promise<Readonly<Record<string, string>>> {
  const [ownNetwork, hostNetwork] = await Promise.all([trial(deps, wish, true), trial(deps, wish, false)]);
  return abilityAttributes(driver, {
    ownNetwork: new Set(ownNetwork.lines),
    hostNetwork: new Set(hostNetwork.lines),
    unasked,
    ...(deps.isolation.subordinate === null || wish.isolation.sharedIds === true
      ? {}
      : { lostByWriters: restOnOwnIds }),
    ...(deps.isolation.uids === null ? {} : { lostByNamed: ['unique_uid'] }),
  });
}

/** Without root: volumes are the agent's user's, and who may write them has its id. */
const restOnOwnIds = ['user_namespace', 'devices'];

export interface IsolationTrials {
  readonly ownNetwork: IsolationReport;
  readonly hostNetwork: IsolationReport;
  /** Runtimes that work and do not hold what they are told: name → what took effect. */
  readonly disproved: ReadonlyMap<string, string>;
}

/** The reports of both trials, of the strictest wish. A task that does not start at all has verified nothing. */
export async function isolationTrials(deps: DriverDeps): Promise<IsolationTrials> {
  const isolation = {
    prefer: 'container',
    pidMode: 'private',
    ipcMode: 'private',
    capabilities: [],
    runtimes: [],
  } as const;
  const wish = { defaultUser: deps.isolation.uid === 0 ? 'nobody' : '', isolation };
  const [ownNetwork, hostNetwork] = await Promise.all([
    reportOrNone(deps, wish, true),
    reportOrNone(deps, wish, false),
  ]);
  return {
    ownNetwork: ownNetwork.report,
    hostNetwork: hostNetwork.report,
    disproved: new Map([...hostNetwork.disproved, ...ownNetwork.disproved]),
  };
}

/** What an agent that died left of its trials. */
export function forgetTrials(taskRoot: string): Promise<void> {
  const trials = join(taskRoot, trialDirectory);
  return removingOfTasks(trials, () => rm(trials, { recursive: true, force: true }));
}

/** By what the probes found: a host that was looked at again is tried again. */
const known = new WeakMap<IsolationHost['probes'], Map<string, Promise<Trial>>>();

/** Kept with the host's proofs. */
interface Trial {
  /** Verified ones. */
  readonly lines: readonly string[];
  /** Null: nothing could be, and so nothing is promised. */
  readonly tried: Tried | null;
  /** What may isolate tasks of this wish: those allowed without those disproved. Empty: all. */
  readonly runtimes: readonly string[];
  /** One that may have had only a bad moment did not start. */
  readonly passing?: boolean;
}

/** Of a host that promises nothing. */
const nothing: Trial = { lines: [], tried: {}, runtimes: [] };
/** Of a trial that did not start. */
const unknown: Trial = { lines: [], tried: null, runtimes: [] };
/** So long what is not known in full is taken for what there is: a trial for each start would make a busy host no better. */
const passingMs = 60_000;

/**
 * What was shown of the way in which this task is isolated, before its own start, and that way: without the runtimes that do not hold. The
 * first of its kind since the boot waits for it; of those for which nothing is promised nothing is tried.
 */
export async function triedWay(
  deps: DriverDeps,
  task: TaskConfig,
  spec: CommandSpec,
): Promise<{ readonly spec: CommandSpec; readonly tried: Tried | null }> {
  if (spec.isolation.prefer === 'none') return { spec, tried: {} };
  const ownNetwork = task.network !== null && task.network.mode !== 'host';
  const wish = { defaultUser: spec.defaultUser, isolation: spec.isolation };
  const { tried, runtimes } = await trial(deps, wish, ownNetwork);
  return { spec: runtimes.length === 0 ? spec : { ...spec, isolation: { ...spec.isolation, runtimes } }, tried };
}

function trial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<Trial> {
  if (deps.isolation.taskRoot === '') return Promise.resolve(nothing);
  const { probes } = deps.isolation;
  const trials = known.get(probes) ?? new Map<string, Promise<Trial>>();
  known.set(probes, trials);
  const key = `trial ${JSON.stringify([wish.isolation, wish.defaultUser, ownNetwork, deps.supervisor.kind])}`;
  const found = trials.get(key) ?? provedTrial(deps, key, wish, ownNetwork);
  trials.set(key, found);
  // one that did not start is tried again at the next look, one that was cut off or started by another runtime soon: the host may have been busy
  void found.then((made) => {
    if (made === unknown) trials.delete(key);
    else if (made.passing === true || !isKnown(made)) setTimeout(() => trials.delete(key), passingMs).unref();
  });
  return found;
}

function isKnown({ tried }: Pick<Trial, 'tried'>): boolean {
  return tried !== null && Object.values(tried).every(({ cutOff }) => cutOff.length === 0);
}

async function provedTrial(deps: DriverDeps, key: string, wish: TrialWish, ownNetwork: boolean): Promise<Trial> {
  const { proofs } = deps.isolation;
  const proved = proofs.get(key) as Trial | undefined;
  if (proved !== undefined) return proved;
  try {
    const { report, tried, whole, runtimes, disproved, passing } = await bestTrial(deps, wish, ownNetwork);
    for (const [runtime, why] of disproved)
      deps.log.warn('a runtime does not hold what it is told: the next is taken', { runtime, why });
    const lines = report.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name);
    if (whole && !passing) proofs.set(key, { lines, tried, runtimes });
    return { lines, tried, runtimes, passing };
  } catch (error) {
    // nothing was verified: that is what is told, and the reason stands in the log
    deps.log.warn('a trial of isolation did not start', { own_network: ownNetwork, reason: messageOf(error) });
    return unknown;
  }
}

type Probes = IsolationHost['probes'];

interface BestTrial extends MadeTrial {
  readonly runtimes: readonly string[];
  readonly disproved: ReadonlyMap<string, string>;
  /** A runtime that the probes found working did not start it. */
  readonly passing: boolean;
}

/**
 * Where a runtime starts no task here, or does not hold a line that it promises, as seen from outside or because a try got past it, the next
 * one is tried, until one holds all or none is left; of several that do not, the one whose tasks keep the highest rung is taken.
 */
async function bestTrial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<BestTrial> {
  const disproved = new Map<string, string>();
  let { runtimes } = wish.isolation;
  let best: BestTrial | null = null;
  let passing = false;
  for (;;) {
    let made: MadeTrial;
    try {
      made = await makeTrial(deps, { ...wish, isolation: { ...wish.isolation, runtimes } }, ownNetwork);
    } catch (error) {
      const [first, ...others] = sandboxMakers(deps.isolation.probes, runtimes, ownNetwork);
      if (first === undefined || !isOci(first) || others.length === 0 || isFault(error, 'unavailable')) throw error;
      disproved.set(first, messageOf(error));
      runtimes = others;
      passing = true;
      continue;
    }
    if (best === null || rankOf(made.report.rung) > rankOf(best.report.rung))
      best = { ...made, runtimes, disproved, passing };
    const makers = sandboxMakers(deps.isolation.probes, runtimes);
    const maker = makers.find((name) => isMadeBy(made.report, name));
    const lost = maker === undefined ? null : lostLine(made.report, isOci(maker) && ownNetwork, deps.isolation.probes);
    // who was cut off was not got past
    if (maker === undefined || lost === null || !isKnown(made)) return best;
    disproved.set(maker, lost);
    runtimes = makers.filter((name) => name !== maker);
    if (runtimes.length === 0) return best;
  }
}

/** The first of what a runtime promises that was not there, though the host has what it stands on and the wish did not give it up; null: all was. */
function lostLine({ mechanisms, wanted }: IsolationReport, container: boolean, probes: Probes): string | null {
  const promised = rungs.slice(0, Math.min(rankOf(wanted), rankOf(container ? 'container' : 'sandbox')) + 1);
  const lines = promised.flatMap((rung) => linesOf[rung]);
  const given = (line: string): boolean =>
    mechanismsOf(line).every((each) => each.startsWith('runtime.') || probes.get(each)?.ok !== false);
  const found = mechanisms.find(({ name, state }) => state === 'unavailable' && lines.includes(name) && given(name));
  return found === undefined ? null : `${found.name}: ${found.evidence}`;
}

/** `"runc 1.1.5"` */
function isMadeBy({ runtime }: IsolationReport, maker: string): boolean {
  return runtime.split(' ')[0] === maker;
}

async function reportOrNone(
  deps: DriverDeps,
  wish: TrialWish,
  ownNetwork: boolean,
): Promise<Pick<BestTrial, 'report' | 'disproved'>> {
  try {
    return await bestTrial(deps, wish, ownNetwork);
  } catch (error) {
    const start = { name: 'start', state: 'unavailable', evidence: messageOf(error), checkedAt: '' } as const;
    const none = { rung: 'none', wanted: wish.isolation.prefer, floor: 'none', runtime: 'nothing' } as const;
    return { report: { ...none, mechanisms: [start] }, disproved: new Map() };
  }
}
