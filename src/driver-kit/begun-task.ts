/** A start that its client did not hear the end of: did its command begin? The shim knows whether it was let go. */
import type { TaskConfig } from '../driver/contract.ts';
import { isFault } from '../lib/fault.ts';
import type { Shim, ShimStatus } from '../supervise/contract.ts';
import { type CommandState, notedState } from './command-state.ts';
import { CommandTask } from './command-task.ts';
import type { DriverDeps } from './driver-plugin.ts';

/** Null: it never began, or nothing was noted of it; what there is of it stays. */
export async function begunTask(deps: DriverDeps, task: TaskConfig, directory: string): Promise<CommandTask | null> {
  const noted = await notedState(directory);
  if (noted === null) return null;
  const found = await deps.supervisor.recover(directory);
  if (found.state === 'ended') {
    const { end } = found;
    if (end.unknown !== null) return new CommandTask(task, noted, null, end);
    return end.started ? new CommandTask(task, { ...noted, startedAt: String(end.startedAt) }, null, end) : null;
  }
  if (found.state !== 'present') return null;
  const status = await letGo(found.shim);
  if (status !== null) return new CommandTask(task, asItIs(noted, status), found.shim, null);
  found.shim.close();
  return null;
}

/** Waits for what is between the two: let go and not executed yet. Null: it is held, or came to nothing. */
async function letGo(shim: Shim): Promise<ShimStatus | null> {
  try {
    const status = await shim.held();
    return status.state === 'held' ? null : status;
  } catch (error) {
    if (isFault(error)) return null;
    throw error;
  }
}

function asItIs(noted: CommandState, status: ShimStatus): CommandState {
  const { pid, startTime, startedAt } = status;
  if (pid === 0) return noted;
  return { ...noted, pid, startTime: String(startTime), startedAt: String(startedAt) };
}
