/**
 * Where tasks of a plugin write: two FIFOs that a shim of ours makes, holds open and reads. It outlives agent and plugin, rotates the
 * files and counts what it took, as for every other task.
 */
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverInfo, TaskConfig } from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { isFault } from '../../lib/fault.ts';
import type { Rotation, StartRecord, Supervisor } from '../../supervise/contract.ts';
import { removeStart } from '../command-task.ts';
import type { HostDeps } from '../driver-plugin.ts';

const megabyte = 1024 * 1024;

/** Idempotent: one that is there already is kept. The task's configuration with the FIFOs in it. */
export async function collectOutput(deps: HostDeps, task: TaskConfig, info: DriverInfo): Promise<TaskConfig> {
  const { log, directories, name } = task;
  if (log.disabled || info.ownLogs === true)
    return { ...task, log: { ...log, fifos: { stdout: '/dev/null', stderr: '/dev/null' } } };
  const record = collectorOf(task.id, directoryOf(deps, task.id), {
    directory: directories.logs,
    stdout: `${basename(name)}.stdout`,
    stderr: `${basename(name)}.stderr`,
    maxFiles: Math.max(1, log.maxFiles),
    maxBytes: Math.max(1, log.maxFileSizeMb) * megabyte,
  });
  try {
    await deps.supervisor.collect(record);
  } catch (error) {
    if (!isFault(error, 'exists')) throw error;
    await collectAgain(deps, record);
  }
  return { ...task, log: { ...log, fifos: fifosIn(record.directory) } };
}

/** The directory was used before: by a collector that runs on, or by one that is gone. */
async function collectAgain({ supervisor }: HostDeps, record: StartRecord): Promise<void> {
  const { directory } = record;
  const found = await supervisor.recover(directory);
  if (found.state === 'present') return found.shim.close();
  await removeStart({ cgroup: null, directory });
  await supervisor.collect(record);
}

/** After the task's end: what is still in the FIFOs is taken first. */
export async function endCollection(deps: HostDeps, taskId: string): Promise<void> {
  await endCollector(deps.supervisor, directoryOf(deps, taskId));
}

function directoryOf(deps: HostDeps, taskId: string): string {
  return join(deps.stateDirectory, cgroupName(taskId));
}

/** In the record directory of a collector. */
export function fifosIn(directory: string): { readonly stdout: string; readonly stderr: string } {
  return { stdout: join(directory, 'stdout.fifo'), stderr: join(directory, 'stderr.fifo') };
}

/** A shim without a command. */
export function collectorOf(id: string, directory: string, files: Rotation): StartRecord {
  const { stdout: stdoutFifo, stderr: stderrFifo } = fifosIn(directory);
  return {
    id,
    directory,
    launcher: { kind: 'none' },
    command: [],
    env: {},
    identity: {},
    cgroups: [],
    killUnit: { kind: 'session' },
    output: { mode: 'collect', stdoutFifo, stderrFifo, ...files },
  };
}

/** One that is about to end does not answer, and is gone a moment later: such a one is looked at again for so long. */
const endingMs = 3_000;

/** What was written until now is in the files after it. Resolves with what found no place on the disk. No error where there is none, or another ends it. */
export async function endCollector(supervisor: Supervisor, directory: string): Promise<bigint> {
  const deadline = Date.now() + endingMs;
  let dropped: bigint | null = null;
  while (dropped === null)
    dropped = await ended(supervisor, directory).catch(async (error: unknown) => {
      if (!isFault(error, 'unavailable') || Date.now() > deadline) throw error;
      await sleep(20);
      return null;
    });
  await removeStart({ cgroup: null, directory });
  return dropped;
}

async function ended(supervisor: Supervisor, directory: string): Promise<bigint> {
  const found = await supervisor.recover(directory);
  if (found.state !== 'present') return 0n;
  await found.shim.stop();
  const end = await found.shim.wait();
  await found.shim.shutdown();
  return end.unknown === null ? end.stdout.dropped + end.stderr.dropped : 0n;
}
