/** A task of nobody, by which it is found out what tasks get: started as any is, and its command tries what it must not do. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { chmod, chown, copyFile, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { CommandSpec, IsolationReport, IsolationWish, TaskConfig } from '../driver/contract.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { verifierInside } from '../isolation/launch/inside.ts';
import type { SystemPath } from '../isolation/launch/system-paths.ts';
import { rungOf } from '../isolation/lines.ts';
import { removingOfTasks } from '../isolation/subordinate.ts';
import {
  areWhole,
  controlTries,
  judgeTries,
  mergeTries,
  readTries,
  startCanary,
  type Tried,
  type Try,
  trialLimits,
  triedRounds,
  tryWords,
  untried,
  withTries,
} from '../isolation/tries.ts';
import { messageOf } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { readBeneath } from '../lib/node/safe-path.ts';
import { Turns } from '../lib/turns.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { scratchTask } from './scratch-task.ts';
import { startCommand } from './start-command.ts';

export interface TrialWish {
  readonly isolation: IsolationWish;
  readonly defaultUser: string;
}

export interface MadeTrial {
  readonly report: IsolationReport;
  /** Null: nothing could be, and so nothing is promised. */
  readonly tried: Tried | null;
  /** False: the tries, one of them, or their control, did not come to their end. */
  readonly whole: boolean;
}

/** Of one task. `tries` null: they did not come to their end; `proven`: as in a plant. */
interface Round {
  readonly report: IsolationReport;
  readonly tries: readonly Try[] | null;
  readonly proven: ReadonlySet<string> | null;
}

/** Below the directory of allocations. */
export const trialDirectory = '.trials';

/**
 * Without root processes are counted per user: a trial that makes as many as it may leaves none to another, or to one's control. And where there
 * is little room on the disk, one takes it from another.
 */
const alone = new Turns(1);
/** Each has copies of the verifier, which may have a megabyte. */
const roomForSeveral = 64 * 1024 * 1024;

async function mayBeSeveral({ uid, taskRoot }: IsolationHost): Promise<boolean> {
  if (uid !== 0) return false;
  const disk = await statfs(taskRoot).catch(() => null);
  return disk !== null && disk.bavail * disk.bsize >= roomForSeveral;
}

/**
 * Starts, looks, tries and removes a task of nobody; another one where a try was cut off, until each came to its end or `triedRounds` are over.
 * Faults as any start does.
 */
export async function makeTrial(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<MadeTrial> {
  const make = (): Promise<Round> => roundOf(deps, wish, ownNetwork);
  const rounds: (readonly Try[])[] = [];
  for (let round = 1; ; round++) {
    const { report, tries, proven } = await ((await mayBeSeveral(deps.isolation)) ? make() : alone.run(make));
    if (tries !== null) rounds.push(tries);
    const merged = mergeTries(rounds);
    const whole = rounds.length > 0 && areWhole(merged);
    if (!whole && round < triedRounds) continue;
    if (!whole) deps.log.warn('tries of isolation were cut off each time', { lines: cutOffLines(merged) });
    const tried = rounds.length === 0 ? null : judgeTries(merged, proven ?? new Set());
    const mechanisms = tried === null ? untried(report.mechanisms) : withTries(report.mechanisms, tried);
    return { report: { ...report, mechanisms, rung: rungOf(mechanisms) }, tried, whole: whole && proven !== null };
  }
}

function cutOffLines(tries: readonly Try[]): readonly string[] {
  return [...new Set(tries.filter(({ outcome }) => outcome === 'cut_off').map(({ line }) => line))];
}

async function roundOf(deps: DriverDeps, wish: TrialWish, ownNetwork: boolean): Promise<Round> {
  const root = join(deps.isolation.taskRoot, trialDirectory);
  makeDirectories(root, 0o711);
  const task = await trialTask(root, `trial-${randomUUID()}`, ownNetwork);
  const { disk } = deps.isolation;
  try {
    await disk?.bound(task.directories.allocation, trialLimits.diskMb).catch((error: unknown) => {
      deps.log.warn('the disk of a trial is bound by nothing', { error: messageOf(error) });
    });
    const plant = await plantFor(deps.isolation, [join(root, task.allocId), task.directories.local]);
    try {
      if (deps.isolation.uid !== 0) {
        await plant.proven;
        await roomForProcesses(deps.isolation.uid);
      }
      const { report, tries } = await attempt(deps, wish, task, plant.words);
      const proven = await plant.proven;
      if (proven === null) deps.log.warn('the control of the tries did not come to its end', {});
      return { report, tries, proven };
    } finally {
      plant.remove();
    }
  } finally {
    const { allocation } = task.directories;
    await removingOfTasks(allocation, () => rm(allocation, { recursive: true, force: true }));
    await disk?.release(allocation);
  }
}

/** What a control or a trial started ends one by one after it, and counts until then. Resolves after ten seconds where it stays. */
async function roomForProcesses(uid: number): Promise<void> {
  const ofUser = (name: string): boolean =>
    /^\d+$/.test(name) && statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid === uid;
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await readdir('/proc')).filter(ofUser).length < trialLimits.pids / 2) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export interface Plant {
  readonly words: readonly string[];
  /** What took effect where nothing protects: found out once for all trials of a boot. Null: not this time, the host is too busy. */
  readonly proven: Promise<ReadonlySet<string> | null>;
  remove(): void;
}

/** Is not kept as a proof. */
const cutOff = new Error('the control did not come to its end');

/** A directory of the host's that tasks see there or below; empty: none, what is there is the task's own. */
function systemDirectory({ system }: IsolationHost, path: string): string {
  const isThere = ({ from, to, empty }: SystemPath): boolean =>
    empty === undefined &&
    `${to}/`.startsWith(`${path}/`) &&
    statSync(from, { throwIfNoEntry: false })?.isDirectory() === true;
  return system.find(isThere)?.to ?? '';
}

/** What tries look for, in the first of the directories (programs in each), and the control that finds it. */
export async function plantFor(
  host: IsolationHost,
  [directory, ...others]: readonly [string, ...(readonly string[])],
): Promise<Plant> {
  const { verifier, proofs, uid, disk } = host;
  if (verifier === null) return { words: [], proven: Promise.resolve(new Set()), remove: () => undefined };
  const [open, closed, neighbour] = ['host', 'closed', 'neighbour'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(open, 'host', { mode: 0o644 });
  await writeFile(closed, 'closed', { mode: 0o600 });
  await writeFile(neighbour, 'neighbour', { mode: 0o600 });
  const setuid = await plantSetuid(host, neighbour, [directory, ...others]);
  // last: nobody ends it where what comes before fails
  const canary = await startCanary(verifier);
  const words = [
    ...canary.words,
    `host_file=${open}`,
    `neighbour_file=${neighbour}`,
    `usr=${systemDirectory(host, '/usr')}`,
    `etc=${systemDirectory(host, '/etc')}`,
    // what belongs to the agent's own user is closed to nobody where tasks are of it too
    ...(uid === 0 ? [`closed_file=${closed}`] : []),
    ...(disk?.works === true ? [`disk_kib=${2 * 1024 * trialLimits.diskMb}`] : []),
    ...setuid,
  ];
  const control = proofs.once('control', async () => {
    const names = await controlTries(verifier, [...words, `scratch=${directory}`]);
    if (names === null) throw cutOff;
    return names;
  });
  const proven = control.then(
    (names) => new Set(names),
    (error: unknown) => {
      if (error !== cutOff) throw error;
      return null;
    },
  );
  return { words, proven, remove: () => canary.remove() };
}

/** A task of nobody else's has that file, and a program that makes whoever runs it that user: only root can give it away. */
async function plantSetuid(
  { verifier, uids }: IsolationHost,
  neighbour: string,
  directories: readonly string[],
): Promise<readonly string[]> {
  if (verifier === null || uids === null) return [];
  const other = uids.range.last + 1;
  await chown(neighbour, other, other);
  for (const directory of directories) {
    const program = join(directory, 'setuid');
    await copyFile(verifier, program);
    await chown(program, other, other);
    await chmod(program, 0o4755);
  }
  return [`setuid=${other}`];
}

async function attempt(deps: DriverDeps, wish: TrialWish, task: TaskConfig, words: readonly string[]) {
  const { signal } = new AbortController();
  const nonce = randomUUID();
  const { verifier } = deps.isolation;
  if (verifier !== null) {
    const copy = join(task.directories.local, ownVerifier);
    await copyFile(verifier, copy);
    await chmod(copy, 0o755);
  }
  const directory = join(deps.stateDirectory, task.id.replaceAll('/', '.'));
  const spec = trialSpec(wish, task, tryWords(nonce, words));
  const started = await startCommand({ spec, tried: {} }, deps, task, directory, signal);
  try {
    const end = await started.wait(AbortSignal.timeout(trialLimitMs)).catch(() => started.stop(9, 0, signal));
    const text = await readBeneath(task.directories.logs, `${task.name}.stdout.0`).then(String, () => '');
    // without the program there is nothing that could be cut off: what the host sees is all
    const tries = verifier === null ? [] : readTries(text, nonce, end?.oomKilled === true);
    if (tries === null) deps.log.warn('a trial of isolation did not come to its end', { output: text.slice(-200) });
    return { report: started.state.isolation, tries };
  } finally {
    await started.stop(9, 0, signal);
    await started.forget();
  }
}

/** An emulated machine beside others takes minutes; who ends sooner is waited for no longer. */
const trialLimitMs = 240_000;

/** Of the directory of the trial's own: a task that is in no sandbox may not get to where the host has it. */
const ownVerifier = 'drover-verify';

/** The verifier has its own path inside a sandbox; elsewhere there is a copy of it. */
function trialSpec(
  { defaultUser, isolation }: TrialWish,
  { directories }: TaskConfig,
  words: readonly string[],
): CommandSpec {
  const script = `v=${verifierInside} d=/local
[ -x $v ] || { v=$1/${ownVerifier} d=$1; }
shift; exec "$v" try "scratch=$d" "$@"`;
  return {
    command: '/bin/sh',
    args: ['-c', script, 'sh', directories.local, ...words],
    workDir: '/',
    defaultUser,
    isolation,
    pidsLimit: trialLimits.pids,
    cpuHardLimit: true,
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
      resources: {
        cpuShares: 100,
        cpusetCpus: '',
        memoryMb: trialLimits.memoryMb,
        memoryMaxMb: 0,
        percentTicks: trialLimits.cores / availableParallelism(),
        ports: [],
      },
    },
  );
}
