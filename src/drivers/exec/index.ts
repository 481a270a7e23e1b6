/** `exec`: runs a program in the strictest isolation this node can give, and says which. */
import type { CommandDriver, CommandSpec, DriverInfo, Fingerprint, TaskConfig } from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { IsolatedCommand } from '../../driver-kit/isolated-command.ts';
import { configSchema, type TaskOptions, taskSchema } from './options.ts';

export const exec = definePlugin({
  pluginName: 'exec',
  configSchema,
  taskSchema,
  create: (config, deps) =>
    commandEngine(new Exec(new IsolatedCommand('exec', config, deps, { confined: true })), deps),
});

class Exec implements CommandDriver {
  readonly #isolated: IsolatedCommand;

  constructor(isolated: IsolatedCommand) {
    this.#isolated = isolated;
  }

  get info(): DriverInfo {
    return this.#isolated.info('0.1.0');
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#isolated.healthy(), signal);
  }

  async plan(task: TaskConfig): Promise<CommandSpec> {
    const options = task.config as TaskOptions;
    const around = await this.#isolated.around(task, options);
    return { command: await this.#isolated.find(task, options.command), args: options.args, ...around };
  }
}
