/**
 * What tasks get here, found out by starting one: the same path as a job's task, with a command that does nothing. Once for each way of
 * isolating; drivers that isolate alike share it.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandDriver, CommandSpec, IsolationReport, IsolationWish, TaskConfig } from '../driver/contract.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { messageOf } from '../lib/fault.ts';
import { abilityAttributes, type IsolationAbility } from '../model/isolation-ability.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { scratchTask } from './scratch-task.ts';
import { startCommand } from './start-command.ts';

export interface TrialWish {
  readonly isolation: IsolationWish;
  readonly defaultUser: string;
}

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
  const { ownNetwork, hostNetwork } = await triedLines(deps, wish);
  return abilityAttributes(driver, { ownNetwork, hostNetwork, unasked });
}

async function triedLines(deps: DriverDeps, wish: TrialWish): Promise<Omit<IsolationAbility, 'unasked'>> {
  const [ownNetwork, hostNetwork] = await Promise.all([trial(deps, wish, true), trial(deps, wish, false)]);
  return { ownNetwork, hostNetwork };
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

/** Below the directory of allocations; what an agent that died left there goes at the next start. */
const trialDirectory = '.trials';

export function forgetTrials(taskRoot: string): Promise<void> {
  return rm(join(taskRoot, trialDirectory), { recursive: true, force: true });
}

/** By what the probes found: a host that was looked at again is tried again. */
const known = new WeakMap<IsolationHost['probes'], Map<string, Promise<ReadonlySet<string>>>>();

function trial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<ReadonlySet<string>> {
  if (deps.isolation.taskRoot === '') return Promise.resolve(new Set());
  const { probes } = deps.isolation;
  const trials = known.get(probes) ?? new Map<string, Promise<ReadonlySet<string>>>();
  known.set(probes, trials);
  const key = JSON.stringify([wish, ownNetwork, deps.supervisor.kind]);
  const found = trials.get(key) ?? verifiedLines(deps, wish, ownNetwork);
  trials.set(key, found);
  return found;
}

async function verifiedLines(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<ReadonlySet<string>> {
  const { proofs } = deps.isolation;
  const key = `trial ${JSON.stringify([wish, ownNetwork, deps.supervisor.kind])}`;
  const proved = proofs.get(key) as readonly string[] | undefined;
  if (proved !== undefined) return new Set(proved);
  try {
    const report = await reportOfTrial(deps, wish, ownNetwork);
    const lines = report.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name);
    proofs.set(key, lines);
    return new Set(lines);
  } catch (error) {
    // nothing was verified: that is what is told, and the reason stands in the log
    deps.log.warn('a trial of isolation did not start', { own_network: ownNetwork, reason: messageOf(error) });
    return new Set();
  }
}

async function reportOrNone(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<IsolationReport> {
  try {
    return await reportOfTrial(deps, wish, ownNetwork);
  } catch (error) {
    const start = { name: 'start', state: 'unavailable', evidence: messageOf(error), checkedAt: '' } as const;
    return { rung: 'none', wanted: wish.isolation.prefer, floor: 'none', runtime: 'nothing', mechanisms: [start] };
  }
}

/** Starts, looks, ends and removes a task of nobody. Faults as any start does. */
async function reportOfTrial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<IsolationReport> {
  const { signal } = new AbortController();
  const root = join(deps.isolation.taskRoot, trialDirectory);
  await mkdir(root, { recursive: true, mode: 0o711 });
  const task = await trialTask(root, `trial-${randomUUID()}`, ownNetwork);
  const directory = join(deps.stateDirectory, task.id.replaceAll('/', '.'));
  try {
    const started = await startCommand(trialDriver(wish), deps, task, directory, signal);
    await started.stop(9, 0, signal);
    await started.forget();
    return started.state.isolation;
  } finally {
    await rm(task.directories.allocation, { recursive: true, force: true });
  }
}

function trialDriver(wish: TrialWish): CommandDriver {
  const spec: CommandSpec = {
    command: '/bin/sh',
    args: ['-c', 'sleep 60'],
    workDir: '/',
    defaultUser: wish.defaultUser,
    isolation: wish.isolation,
    pidsLimit: 64,
  };
  return {
    info: { name: 'trial', version: '0.0.0', filesystem: 'none', networkModes: ['host'], mounts: false },
    fingerprint: async function* () {},
    plan: async () => spec,
  };
}

function trialTask(root: string, allocId: string, ownNetwork: boolean): Promise<TaskConfig> {
  return scratchTask(
    root,
    {},
    {
      allocId,
      name: 'trial',
      network: ownNetwork ? { mode: 'none', path: '', labels: {} } : null,
      log: { disabled: true, maxFiles: 1, maxFileSizeMb: 1, fifos: null },
    },
  );
}
