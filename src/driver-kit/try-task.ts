/** One task of a driver, from its options to its end, without an agent: what an author's own tests are made of. */
import type { TaskConfig, TaskExit } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { readBeneath } from '../lib/node/safe-path.ts';
import { type DriverPlugin, openDriver } from './driver-plugin.ts';
import { openScratchHost } from './scratch-host.ts';

export interface TryTaskOptions {
  /** A task's options as a job file has them: decoded by the driver's schema, defaults filled in. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The operator's options. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Anything else of the task. */
  readonly task?: Partial<TaskConfig>;
  /** After so many milliseconds the task is stopped; default 30,000. */
  readonly limitMs?: number;
}

export interface TriedTask {
  readonly exit: TaskExit;
  readonly stdout: string;
  readonly stderr: string;
  /** True: it had to be stopped. */
  readonly stopped: boolean;
}

/**
 * Starts the task, waits for its end, gives its output; nothing stays behind. What start throws is thrown, a wrong option is
 * `Fault('invalid')`.
 */
export async function tryTask(plugin: DriverPlugin, options: TryTaskOptions = {}): Promise<TriedTask> {
  const host = await openScratchHost({ isolation: false });
  const { signal } = new AbortController();
  try {
    const driver = openDriver(plugin, options.options ?? {}, host.deps);
    const decoded = driver.decodeConfig(options.config ?? {});
    if (!decoded.ok) throw new Fault('invalid', decoded.problems.join(' '));
    const task = await host.scratch.task(decoded.value, options.task);
    const given = { ...task, env: { ...task.env, ...options.env } };
    const { engine } = driver;
    try {
      await engine.start(given, signal);
      const stopped = await engine.wait(task.id, AbortSignal.timeout(options.limitMs ?? 30_000)).then(
        () => false,
        () => true,
      );
      if (stopped) await engine.stop(task.id, { timeoutMs: 1000, killSignal: '' }, signal);
      const exit = await engine.wait(task.id, signal);
      await engine.destroy(task.id, { force: true }, signal);
      const [stdout, stderr] = await Promise.all(['stdout', 'stderr'].map((stream) => output(task, stream)));
      return { exit, stdout: stdout ?? '', stderr: stderr ?? '', stopped };
    } finally {
      await engine.close();
    }
  } finally {
    await host.close();
  }
}

/** A driver may not have kept any. */
async function output(task: TaskConfig, stream: string): Promise<string> {
  return readBeneath(task.directories.logs, `${task.name}.${stream}.0`).then(String, () => '');
}
