import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { AllocationRunner } from './alloc-runner.ts';
import { signaling } from './task-events.ts';

/**
 * Sends a signal to one task of an allocation, or (`task` empty) to all that run. Like Nomad, an unknown signal's name is noted and answered
 * with success; the driver's refusal is logged. Faults: `conflict` where nothing runs, `unsupported` where a driver sends none.
 */
export async function signalTasks(
  runner: Pick<AllocationRunner, 'id' | 'tasks' | 'task' | 'running'>,
  options: { readonly task: string; readonly signal: string },
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const names =
    options.task === ''
      ? runner.tasks.filter((task) => task.run.phase === 'running').map((task) => task.name)
      : [options.task];
  if (names.length === 0) throw new Fault('conflict', 'Task not running', { status: 500 });
  for (const name of names) {
    const { engine, taskId } = runner.running(name, 'Task not found', 'Task not running');
    runner.task(name, '').send({ type: 'note', event: signaling(options.signal) });
    if (engine.signal === undefined)
      throw new Fault('unsupported', `driver "${engine.info.name}" sends no signals`, { status: 500 });
    try {
      await engine.signal(taskId, options.signal, signal);
    } catch (error) {
      log.warn('a signal was not delivered', { alloc: runner.id, task: name, error: messageOf(error) });
    }
  }
}
