/** `exec`: runs a program in the strictest isolation this node can give, and says which. */
import { isAbsolute } from 'node:path';
import type {
  CommandDriver,
  CommandSpec,
  DriverInfo,
  Fingerprint,
  IsolationRung,
  TaskConfig,
} from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { DeniedUsers } from '../../driver-kit/denied-users.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { findInSandbox, findOnHost } from '../../driver-kit/find-program.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { userUnknown } from '../../driver-kit/nomad-texts.ts';
import type { IsolationHost } from '../../isolation/isolation-host.ts';
import { rankOf, rungs } from '../../isolation/lines.ts';
import { lookUpUser } from '../../isolation/users.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';
import { taskCapabilities } from './task-capabilities.ts';

export const exec = definePlugin({
  pluginName: 'exec',
  configSchema,
  taskSchema,
  // a supervisor that starts plain processes only cannot give a sandbox
  create: (config, deps) =>
    commandEngine(
      new Exec(config, deps.supervisor.kind === 'native' ? deps.isolation : { ...deps.isolation, best: 'none' }),
      deps,
    ),
});

const defaultUser = 'nobody';

class Exec implements CommandDriver {
  readonly info: DriverInfo;
  readonly #config: PluginOptions;
  readonly #host: IsolationHost;
  readonly #denied: DeniedUsers;
  readonly #sandboxed: boolean;
  readonly #prefer: IsolationRung;

  constructor(config: PluginOptions, host: IsolationHost) {
    this.#config = config;
    this.#host = host;
    this.#denied = new DeniedUsers(config.denied_host_uids, config.denied_host_gids);
    this.#prefer = rungNamed(config.isolation?.prefer ?? 'container');
    this.#sandboxed = Math.min(rankOf(host.best), rankOf(this.#prefer)) >= rankOf('sandbox');
    for (const name of ['default_pid_mode', 'default_ipc_mode'] as const) checkMode(name, config[name]);
    this.info = {
      name: 'exec',
      version: '0.1.0',
      // without a view of files of its own, a task must be told the host's paths
      filesystem: this.#sandboxed ? 'chroot' : 'none',
      networkModes: this.#sandboxed ? ['host', 'group', 'none'] : ['host', 'group'],
      mounts: this.#sandboxed,
    };
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(), signal);
  }

  #look(): Fingerprint {
    if (process.platform !== 'linux') return { health: 'undetected', description: 'exec needs Linux', attributes: {} };
    const best = rungs[Math.min(rankOf(this.#host.best), rankOf(this.#prefer))] ?? 'none';
    return {
      health: 'healthy',
      description: 'Healthy',
      attributes: {
        'driver.exec': '1',
        'driver.exec.isolation': best,
        'driver.exec.isolation.rank': String(rankOf(best)),
      },
    };
  }

  async plan(task: TaskConfig): Promise<CommandSpec> {
    const options = task.config as TaskOptions;
    await this.#denied.check(task, defaultUser);
    if (options.work_dir !== '' && !isAbsolute(options.work_dir)) {
      throw new Fault('invalid', `work_dir must be an absolute path, not ${JSON.stringify(options.work_dir)}`);
    }
    const find = this.#sandboxed
      ? findInSandbox(task, options.command, this.#host.system)
      : findOnHost(task, options.command);
    return {
      command: await find,
      args: options.args,
      workDir: options.work_dir || (this.#sandboxed ? '/' : task.directories.task),
      env: await userVariables(task.user || defaultUser),
      defaultUser: this.#host.uid === 0 || this.#sandboxed ? defaultUser : '',
      isolation: {
        prefer: this.#prefer,
        pidMode: this.#mode('pid_mode', options.pid_mode, this.#config.default_pid_mode),
        ipcMode: this.#mode('ipc_mode', options.ipc_mode, this.#config.default_ipc_mode),
        capabilities: taskCapabilities(this.#config, options),
        runtimes: this.#config.isolation?.runtimes ?? [],
      },
      pidsLimit: this.#config.pids_limit,
    };
  }

  #mode(name: string, own: string, fallback: string): 'private' | 'host' {
    const mode = own || fallback;
    checkMode(name, mode);
    return mode === 'host' ? 'host' : 'private';
  }
}

function rungNamed(text: string): IsolationRung {
  const rung = rungs.find((each) => each === text);
  if (rung === undefined)
    throw new Fault('invalid', `isolation.prefer is one of ${rungs.join(', ')}, not ${JSON.stringify(text)}`);
  return rung;
}

function checkMode(name: string, mode: string): void {
  if (mode !== 'private' && mode !== 'host')
    throw new Fault('invalid', `${name} must be "private" or "host", not ${JSON.stringify(mode)}`);
}

async function userVariables(name: string): Promise<Readonly<Record<string, string>>> {
  try {
    const user = await lookUpUser(name);
    return { HOME: user.home, LOGNAME: user.name, USER: user.name };
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    throw new Fault('invalid', userUnknown(name), { cause: error });
  }
}
