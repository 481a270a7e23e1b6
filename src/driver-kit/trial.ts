/**
 * What tasks get here, found out by starting one: the same path as a job's task, with a command that tries what it must not do. Once for
 * each way of isolating and boot; drivers that isolate alike share it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandSpec, IsolationReport, TaskConfig } from '../driver/contract.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import type { Tried } from '../isolation/tries.ts';
import { messageOf } from '../lib/fault.ts';
import { abilityAttributes, type IsolationAbility } from '../model/isolation-ability.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { makeTrial, type TrialWish, trialDirectory } from './trial-task.ts';

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
  });
}

/** The reports of both trials, of the strictest wish. A task that does not start at all has verified nothing. */
export async function isolationTrials(
  deps: DriverDeps,
): Promise<{ readonly ownNetwork: IsolationReport; readonly hostNetwork: IsolationReport }> {
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
  return { ownNetwork, hostNetwork };
}

/** What an agent that died left of its trials. */
export function forgetTrials(taskRoot: string): Promise<void> {
  return rm(join(taskRoot, trialDirectory), { recursive: true, force: true });
}

/** By what the probes found: a host that was looked at again is tried again. */
const known = new WeakMap<IsolationHost['probes'], Map<string, Promise<Trial>>>();

/** Kept with the host's proofs. */
interface Trial {
  /** Verified ones. */
  readonly lines: readonly string[];
  readonly tried: Tried;
}

const nothing: Trial = { lines: [], tried: {} };

/**
 * What was shown of the way in which this task is isolated, before its own start. The first of its kind since the boot waits for it; of
 * those for which nothing is promised nothing is tried.
 */
export async function triesOf(deps: DriverDeps, task: TaskConfig, spec: CommandSpec): Promise<Tried> {
  if (spec.isolation.prefer === 'none') return {};
  const ownNetwork = task.network !== null && task.network.mode !== 'host';
  const { tried } = await trial(deps, { defaultUser: spec.defaultUser, isolation: spec.isolation }, ownNetwork);
  return tried;
}

function trial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<Trial> {
  if (deps.isolation.taskRoot === '') return Promise.resolve(nothing);
  const { probes } = deps.isolation;
  const trials = known.get(probes) ?? new Map<string, Promise<Trial>>();
  known.set(probes, trials);
  const key = `trial ${JSON.stringify([wish.isolation, wish.defaultUser, ownNetwork, deps.supervisor.kind])}`;
  const found = trials.get(key) ?? provedTrial(deps, key, wish, ownNetwork);
  trials.set(key, found);
  // one that did not start is tried again at the next look: the host may have been too busy
  void found.then((made) => made === nothing && trials.delete(key));
  return found;
}

async function provedTrial(deps: DriverDeps, key: string, wish: TrialWish, ownNetwork: boolean): Promise<Trial> {
  const { proofs } = deps.isolation;
  const proved = proofs.get(key) as Trial | undefined;
  if (proved !== undefined) return proved;
  try {
    const { report, tried, whole } = await makeTrial(deps, wish, ownNetwork);
    const lines = report.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name);
    if (whole) proofs.set(key, { lines, tried });
    return { lines, tried };
  } catch (error) {
    // nothing was verified: that is what is told, and the reason stands in the log
    deps.log.warn('a trial of isolation did not start', { own_network: ownNetwork, reason: messageOf(error) });
    return nothing;
  }
}

async function reportOrNone(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<IsolationReport> {
  try {
    return (await makeTrial(deps, wish, ownNetwork)).report;
  } catch (error) {
    const start = { name: 'start', state: 'unavailable', evidence: messageOf(error), checkedAt: '' } as const;
    return { rung: 'none', wanted: wish.isolation.prefer, floor: 'none', runtime: 'nothing', mechanisms: [start] };
  }
}
