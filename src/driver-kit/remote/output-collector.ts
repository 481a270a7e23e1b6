/**
 * Where tasks of a plugin write: two FIFOs that a shim of ours makes, holds open and reads. It outlives agent and plugin, rotates the
 * files and counts what it took, as for every other task.
 */
import { basename, join } from 'node:path';
import type { DriverInfo, TaskConfig } from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { isFault } from '../../lib/fault.ts';
import type { StartRecord } from '../../supervise/contract.ts';
import { removeStart } from '../command-task.ts';
import type { HostDeps } from '../driver-plugin.ts';

const megabyte = 1024 * 1024;

/** Idempotent: one that is there already is kept. The task's configuration with the FIFOs in it. */
export async function collectOutput(deps: HostDeps, task: TaskConfig, info: DriverInfo): Promise<TaskConfig> {
  const { log, directories, name } = task;
  if (log.disabled || info.ownLogs === true)
    return { ...task, log: { ...log, fifos: { stdout: '/dev/null', stderr: '/dev/null' } } };
  const directory = directoryOf(deps, task.id);
  const fifos = { stdout: join(directory, 'stdout.fifo'), stderr: join(directory, 'stderr.fifo') };
  const record: StartRecord = {
    id: task.id,
    directory,
    launcher: { kind: 'none' },
    command: [],
    env: {},
    identity: {},
    cgroups: [],
    killUnit: { kind: 'session' },
    output: {
      mode: 'collect',
      stdoutFifo: fifos.stdout,
      stderrFifo: fifos.stderr,
      directory: directories.logs,
      stdout: `${basename(name)}.stdout`,
      stderr: `${basename(name)}.stderr`,
      maxFiles: Math.max(1, log.maxFiles),
      maxBytes: Math.max(1, log.maxFileSizeMb) * megabyte,
    },
  };
  try {
    await deps.supervisor.collect(record);
  } catch (error) {
    if (!isFault(error, 'exists')) throw error;
    await collectAgain(deps, record);
  }
  return { ...task, log: { ...log, fifos } };
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
  const directory = directoryOf(deps, taskId);
  const found = await deps.supervisor.recover(directory);
  if (found.state === 'present') {
    await found.shim.stop();
    await found.shim.wait();
    await found.shim.shutdown();
  }
  await removeStart({ cgroup: null, directory });
}

function directoryOf(deps: HostDeps, taskId: string): string {
  return join(deps.stateDirectory, cgroupName(taskId));
}
