/** `mock_driver`: runs nothing, ends as it is told. For tests of everything that stands on drivers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  EngineDriver,
  ExecRequest,
  ExecSession,
  FilesystemIsolation,
  Fingerprint,
  NetworkOverride,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStats,
  TaskStatus,
} from '../../driver/contract.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { KnownTasks } from '../../driver-kit/known-tasks.ts';
import { refusalsOf } from '../../driver-kit/rehearsal.ts';
import { abortable } from '../../lib/abortable.ts';
import { Fault } from '../../lib/fault.ts';
import { mockExec } from './mock-exec.ts';
import { durationMs, MockTask } from './mock-task.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';

export const mockDriver = definePlugin({
  pluginName: 'mock_driver',
  configSchema,
  taskSchema,
  create: (config) => new MockDriver(config),
});

const filesystems: readonly FilesystemIsolation[] = ['none', 'chroot', 'image', 'unveil'];

class MockDriver implements EngineDriver {
  readonly info: EngineDriver['info'];
  readonly #tasks = new KnownTasks<MockTask>();

  constructor(config: PluginOptions) {
    const filesystem = filesystems.find((each) => each === config.fs_isolation);
    if (filesystem === undefined) throw new Fault('invalid', `fs_isolation is one of ${filesystems.join(', ')}`);
    this.info = {
      name: 'mock_driver',
      version: '0.1.0',
      filesystem,
      networkModes: ['host', 'group', 'task', 'none'],
      mounts: true,
    };
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    const report: Fingerprint = {
      health: 'healthy',
      description: 'Healthy',
      attributes: { 'driver.mock_driver': '1' },
    };
    return fingerprints(() => report, signal);
  }

  rehearse({ config }: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    return refusalsOf(signal, async () => {
      checkDurations(config as TaskOptions);
      checkStart(config as TaskOptions);
    });
  }

  async start(config: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    const options = config.config as TaskOptions;
    checkDurations(options);
    return this.#tasks.start(config.id, async () => {
      await sleep(durationMs(options.start_block_for, 'start_block_for'), undefined, { signal });
      checkStart(options);
      const task = new MockTask(config, options, Date.now(), false);
      this.#tasks.keep(config.id, task);
      const network = networkOf(options);
      return { state: { version: 1, startedAtMs: task.startedAtMs }, ...(network === null ? {} : { network }) };
    });
  }

  async recover(config: TaskConfig, state: TaskHandleState): Promise<StartedTask> {
    const startedAtMs = state['startedAtMs'];
    if (state.version !== 1 || typeof startedAtMs !== 'number')
      throw new Fault('not_found', 'the stored state of the task cannot be read');
    const options = config.config as TaskOptions;
    checkDurations(options);
    if (!this.#tasks.holds(config.id)) this.#tasks.keep(config.id, new MockTask(config, options, startedAtMs, true));
    return { state };
  }

  async wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return abortable(this.#tasks.find(taskId).end, signal);
  }

  async stop(taskId: string, options: { readonly timeoutMs: number }, signal: AbortSignal): Promise<void> {
    await abortable(this.#tasks.find(taskId).stop(options.timeoutMs), signal);
  }

  async destroy(taskId: string, options: { readonly force: boolean }): Promise<void> {
    const task = this.#tasks.find(taskId);
    if (task.exit === null) {
      if (!options.force) throw new Fault('conflict', `task ${taskId} is still running`);
      await task.stop(0);
    }
    this.#tasks.forget(taskId);
  }

  async inspect(taskId: string): Promise<TaskStatus> {
    const task = this.#tasks.find(taskId);
    return {
      state: task.exit === null ? 'running' : 'exited',
      startedAt: BigInt(task.startedAtMs) * 1_000_000n,
      completedAt: task.exit?.finishedAt ?? null,
      exit: task.exit,
      attributes: {},
    };
  }

  async stats(taskId: string): Promise<TaskStats> {
    this.#tasks.find(taskId);
    const cpu = {
      systemMode: 0,
      userMode: 0,
      totalTicks: 0,
      throttledPeriods: 0,
      throttledTime: 0,
      percent: 0,
      measured: [],
    };
    const memory = {
      rss: 0,
      cache: 0,
      swap: 0,
      usage: 0,
      maxUsage: 0,
      kernelUsage: 0,
      kernelMaxUsage: 0,
      measured: ['RSS'],
    };
    return { timestamp: BigInt(Date.now()) * 1_000_000n, cpu, memory };
  }

  async signal(taskId: string): Promise<void> {
    const { options } = this.#tasks.find(taskId);
    if (options.signal_error !== '') throw new Fault('unavailable', options.signal_error);
  }

  async exec(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    const { options } = this.#tasks.find(taskId);
    if (options.exec_command === null) throw new Fault('unsupported', 'the task has no exec_command');
    return mockExec(options.exec_command, request.tty, signal);
  }

  async close(): Promise<void> {
    this.#tasks.clear();
  }
}

function checkDurations(options: TaskOptions): void {
  for (const name of [
    'run_for',
    'start_block_for',
    'kill_after',
    'stdout_repeat_duration',
    'stderr_repeat_duration',
  ] as const) {
    durationMs(options[name], name);
  }
}

/** `"web:8080 db:5432"` */
function networkOf(options: TaskOptions): NetworkOverride | null {
  if (options.driver_ip === '' && options.port_map === '') return null;
  const ports = options.port_map
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map((each) => {
      const [label = '', port = ''] = each.split(':');
      if (label === '' || !/^\d{1,5}$/.test(port))
        throw new Fault('invalid', `port_map: ${JSON.stringify(each)} is not "label:port"`);
      return [label, Number(port)] as const;
    });
  return { ip: options.driver_ip, portMap: Object.fromEntries(ports), autoAdvertise: options.driver_advertise };
}

function checkStart({ start_error: text, start_error_recoverable: recoverable }: TaskOptions): void {
  if (text !== '') throw new Fault('unavailable', text, { recoverable });
}
