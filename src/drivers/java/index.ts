/** `java`: runs a class or an archive on the host's Java virtual machine, isolated as `exec` isolates. */
import type { CommandDriver, CommandSpec, DriverInfo, Fingerprint, TaskConfig } from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { IsolatedCommand } from '../../driver-kit/isolated-command.ts';
import { Fault } from '../../lib/fault.ts';
import { configSchema, type TaskOptions, taskSchema } from './options.ts';
import { findVirtualMachine, type VirtualMachine } from './virtual-machine.ts';

export const java = definePlugin({
  pluginName: 'java',
  configSchema,
  taskSchema,
  create: (config, deps) =>
    commandEngine(new Java(new IsolatedCommand('java', config, deps, { confined: true })), deps),
});

class Java implements CommandDriver {
  readonly #isolated: IsolatedCommand;
  /** As the last look found it: a start does not wait for a machine to say its version. */
  #machine: VirtualMachine | null = null;

  constructor(isolated: IsolatedCommand) {
    this.#isolated = isolated;
  }

  get info(): DriverInfo {
    return this.#isolated.info('0.1.0');
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(signal), signal);
  }

  async #look(signal: AbortSignal): Promise<Fingerprint> {
    const machine = await findVirtualMachine(signal);
    this.#machine = machine;
    if (machine === null)
      return { health: 'undetected', description: 'no working java in the PATH of the agent', attributes: {} };
    return this.#isolated.healthy({
      'driver.java.version': machine.version,
      'driver.java.runtime': machine.runtime,
      'driver.java.vm': machine.vm,
    });
  }

  async plan(task: TaskConfig, signal: AbortSignal): Promise<CommandSpec> {
    const options = task.config as TaskOptions;
    const args = javaArguments(options);
    const machine = this.#machine ?? (await findVirtualMachine(signal));
    if (machine === null)
      throw new Fault('unavailable', 'no working java in the PATH of the agent', { recoverable: true });
    const around = await this.#isolated.around(task, options);
    return { command: await this.#isolated.find(task, machine.program), args, ...around };
  }
}

/** `jvm_options… [-cp class_path] [-jar jar_path] [class] args…` */
export function javaArguments(options: TaskOptions): readonly string[] {
  if (options.class === '' && options.jar_path === '')
    throw new Fault('invalid', 'jar_path or class must be specified');
  return [
    ...options.jvm_options,
    ...(options.class_path === '' ? [] : ['-cp', options.class_path]),
    ...(options.jar_path === '' ? [] : ['-jar', options.jar_path]),
    ...(options.class === '' ? [] : [options.class]),
    ...options.args,
  ];
}
