/** `qemu`: a machine in the emulator, the emulator itself in a sandbox of the host. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CommandDriver,
  CommandSpec,
  DriverInfo,
  EngineDriver,
  Fingerprint,
  TaskConfig,
} from '../../driver/contract.ts';
import { changedEngine } from '../../driver-kit/changed-engine.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { programInPath } from '../../driver-kit/find-program.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { IsolatedCommand } from '../../driver-kit/isolated-command.ts';
import { Fault } from '../../lib/fault.ts';
import { findEmulators, knownKvm, programOf, proveKvm } from './emulators.ts';
import { kvmDevice, makeDevices } from './kvm-device.ts';
import { checkOptions, diskOf, machineArguments, makeWritable } from './machine.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';

export const qemu = definePlugin({
  pluginName: 'qemu',
  configSchema,
  taskSchema,
  create: (config, deps) => {
    const driver = new Qemu(config, new IsolatedCommand('qemu', config, deps, { sharedIds: true }));
    return withPowerButton(commandEngine(driver, deps), driver);
  },
});

const never = new AbortController().signal;

class Qemu implements CommandDriver {
  readonly info: DriverInfo;
  readonly #config: PluginOptions;
  readonly #isolated: IsolatedCommand;
  /** Host paths of the monitors of tasks that are stopped by their power button. */
  readonly buttons = new Map<string, string>();

  constructor(config: PluginOptions, isolated: IsolatedCommand) {
    this.#config = config;
    this.#isolated = isolated;
    this.info = { ...isolated.info('0.1.0'), filesystem: 'none', mounts: false };
  }

  async *fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    // a guest may take seconds to boot, and nothing else waits for it
    if (knownKvm(this.#isolated.host.proofs) === undefined) yield await this.#look(signal, {});
    yield* fingerprints(async () => this.#look(signal, await this.#kvmAttributes(signal)), signal);
  }

  async #look(signal: AbortSignal, kvm: Readonly<Record<string, string>>): Promise<Fingerprint> {
    const found = await findEmulators(signal);
    if (found === null)
      return { health: 'undetected', description: 'no working qemu-system-* in the PATH of the agent', attributes: {} };
    const emulators = found.names.join(',');
    return this.#isolated.healthy({ 'driver.qemu.version': found.version, 'driver.qemu.emulators': emulators, ...kvm });
  }

  async #kvmAttributes(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const { ok, evidence } = await proveKvm(this.#isolated.host.proofs, signal);
    return { 'driver.qemu.kvm': ok ? '1' : '0', 'driver.qemu.kvm.evidence': evidence };
  }

  async plan(task: TaskConfig, signal: AbortSignal): Promise<CommandSpec> {
    const options = task.config as TaskOptions;
    checkOptions(this.#config, options, task.resources.memoryMb, task.user);
    const kvmCpu = options.accelerator === 'kvm' ? await this.#cpuUnderKvm(task, signal) : null;
    const { sandboxed } = this.#isolated;
    const disk = await diskOf(task, this.#config, options.image_path, sandboxed);
    const program = await programInPath(programOf(options.emulator), process.env['PATH'] ?? '');
    if (program === null)
      throw new Fault('invalid', `there is no ${programOf(options.emulator)} in the PATH of the agent`);
    const around = await this.#isolated.around(task, {
      pid_mode: '',
      ipc_mode: '',
      cap_add: [],
      cap_drop: [],
      work_dir: '',
    });
    const at = (name: string): string => (sandboxed ? `/${name}` : join(task.directories.task, name));
    return {
      ...around,
      // where it keeps what a guest writes to an image that is not its own; it takes "/tmp" for "/var/tmp"
      env: { ...around.env, TMPDIR: sandboxed ? '/local' : task.directories.local },
      command: await this.#isolated.find(task, program),
      args: machineArguments({ task, options, disk, monitor: at('qm.sock'), agent: at('qa.sock'), kvmCpu }),
      memoryOverheadMb: this.#config.memory_headroom,
      ...(kvmCpu !== null ? { devices: [await kvmDevice(task, this.#isolated.host.uid)] } : {}),
      ...(disk.own || !sandboxed
        ? {}
        : { mounts: [{ taskPath: disk.path, hostPath: disk.hostPath, readOnly: true, propagation: '' }] }),
    };
  }

  async ready(task: TaskConfig, { devices = [] }: CommandSpec): Promise<void> {
    const options = task.config as TaskOptions;
    const disk = await diskOf(task, this.#config, options.image_path, this.#isolated.sandboxed);
    if (disk.own) await makeWritable(task.directories.allocation, disk.hostPath);
    await makeDevices(devices);
    this.#noteButton(task, options);
  }

  async #cpuUnderKvm({ rehearsal }: TaskConfig, signal: AbortSignal): Promise<string> {
    // whether it works may still have to be tried, which is a start's to do
    if (rehearsal !== undefined && knownKvm(this.#isolated.host.proofs) === undefined) return 'host';
    const { ok, evidence, cpu } = await proveKvm(this.#isolated.host.proofs, signal);
    if (!ok) throw new Fault('unavailable', `accelerator "kvm" does not work here: ${evidence}`);
    return cpu;
  }

  /** Also of a task that was found again. */
  #noteButton(task: TaskConfig, options: TaskOptions): void {
    if (options.graceful_shutdown) this.buttons.set(task.id, join(task.directories.task, 'qm.sock'));
  }

  recovered(task: TaskConfig): void {
    this.#noteButton(task, task.config as TaskOptions);
  }
}

/**
 * A stop presses the button first where the task asked for it; a guest that does not heed it is ended as any command is. No commands inside
 * a guest: there is no `exec`.
 */
function withPowerButton(engine: EngineDriver, driver: Qemu): EngineDriver {
  return changedEngine(engine, {
    exec: undefined,
    async recover(config, state, signal) {
      const found = await engine.recover(config, state, signal);
      driver.recovered(config);
      return found;
    },
    async recoverStart(config, signal) {
      const found = await engine.recoverStart!(config, signal);
      if (found !== null) driver.recovered(config);
      return found;
    },
    async stop(taskId, options, signal) {
      const monitor = driver.buttons.get(taskId);
      if (monitor === undefined) return engine.stop(taskId, options, signal);
      const until = Date.now() + options.timeoutMs;
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
      if (await press(monitor)) await engine.wait(taskId, limit).catch(() => undefined);
      signal.throwIfAborted();
      await engine.stop(taskId, { ...options, timeoutMs: Math.max(0, until - Date.now()) }, signal);
    },
    async destroy(taskId, options, signal) {
      await engine.destroy(taskId, options, signal);
      driver.buttons.delete(taskId);
    },
  });
}

/** True: the monitor took the command. */
async function press(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.write('system_powerdown\n');
    await sleep(100, undefined, { signal: never });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
