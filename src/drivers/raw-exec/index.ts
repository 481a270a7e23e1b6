/** `raw_exec`: runs a program as it is, as the agent's user unless the job names one. Contained, not isolated. */
import { isAbsolute } from 'node:path';
import type { CommandDriver, CommandSpec, Fingerprint, IsolationWish, TaskConfig } from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { DeniedUsers } from '../../driver-kit/denied-users.ts';
import { type DriverDeps, definePlugin } from '../../driver-kit/driver-plugin.ts';
import { findOnHost } from '../../driver-kit/find-program.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import { triedIsolation } from '../../driver-kit/trial.ts';
import { Fault } from '../../lib/fault.ts';
import { allowedCommand } from './allowed-command.ts';
import { withoutDenied } from './denied-env.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';

export const rawExec = definePlugin({
  pluginName: 'raw_exec',
  configSchema,
  taskSchema,
  create: (config, deps) => commandEngine(new RawExec(config, deps), deps),
});

/** Rung `process` wants the number of processes bounded; without a floor it is not, as it never was. */
const processesAtFloor = 4096;

/** What it can give at most, where a floor asks for it. */
const contained: IsolationWish = {
  prefer: 'process',
  pidMode: 'host',
  ipcMode: 'host',
  capabilities: [],
  runtimes: [],
};

function demanded(task: TaskConfig): boolean {
  return task.isolationFloor !== 'none' || (task.isolationRequire ?? []).length > 0;
}

class RawExec implements CommandDriver {
  readonly info = {
    name: 'raw_exec',
    version: '0.1.0',
    filesystem: 'none',
    networkModes: ['host', 'group'],
    mounts: false,
  } as const;
  readonly #config: PluginOptions;
  readonly #denied: DeniedUsers;
  readonly #deps: DriverDeps;

  constructor(config: PluginOptions, deps: DriverDeps) {
    this.#config = config;
    this.#denied = new DeniedUsers(config.denied_host_uids, config.denied_host_gids);
    this.#deps = deps;
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(), signal);
  }

  async #look(): Promise<Fingerprint> {
    if (!this.#config.enabled) return { health: 'undetected', description: 'disabled', attributes: {} };
    const isolation = await triedIsolation(
      this.#deps,
      'raw_exec',
      { defaultUser: this.#config.default_user, isolation: contained },
      'none',
    );
    return {
      health: 'healthy',
      description: 'Healthy',
      attributes: { 'driver.raw_exec': '1', ...isolation },
    };
  }

  async plan(task: TaskConfig): Promise<CommandSpec> {
    if (!this.#config.enabled) throw new Fault('unsupported', 'raw_exec is disabled on this node');
    const options = task.config as TaskOptions;
    const { default_user: defaultUser, pids_limit: pidsLimit } = this.#config;
    await this.#denied.check(task, defaultUser);
    if (options.oom_score_adj < 0 || options.oom_score_adj > 1000) {
      throw new Fault('invalid', `oom_score_adj must be 0 to 1000, not ${options.oom_score_adj}`);
    }
    if (options.work_dir !== '' && !isAbsolute(options.work_dir)) {
      throw new Fault('invalid', `work_dir must be an absolute path, not ${JSON.stringify(options.work_dir)}`);
    }
    return {
      command: await this.#allowed(task, await findOnHost(task, options.command)),
      args: options.args,
      workDir: options.work_dir || task.directories.task,
      withoutEnv: withoutDenied(task.env, [...this.#config.denied_envvars, ...options.denied_envvars]),
      defaultUser,
      // setuid programs must go on working, as they always did, unless a floor asks for more
      isolation: demanded(task) ? contained : { ...contained, prefer: 'none' },
      ...(pidsLimit > 0 ? { pidsLimit } : demanded(task) ? { pidsLimit: processesAtFloor } : {}),
      ...(options.cpu_hard_limit ? { cpuHardLimit: true } : {}),
      oomScoreAdj: options.oom_score_adj,
      ...cgroupOverride(options),
    };
  }

  async #allowed(task: TaskConfig, command: string): Promise<string> {
    const patterns = this.#config.allowed_commands;
    return patterns.length === 0 || mayCome(task, command) ? command : allowedCommand(command, patterns);
  }
}

function cgroupOverride(options: TaskOptions): Pick<CommandSpec, 'cgroupOverride'> {
  const v1 = options.cgroup_v1_override.flatMap((each) => Object.entries(each));
  if (options.cgroup_v2_override !== null && v1.length > 0) {
    throw new Fault('invalid', 'only one of cgroup_v1_override and cgroup_v2_override may be set');
  }
  if (options.cgroup_v2_override !== null) {
    return { cgroupOverride: [{ version: 2, path: options.cgroup_v2_override, controllers: [] }] };
  }
  if (v1.length === 0) return {};
  return { cgroupOverride: v1.map(([controller, path]) => ({ version: 1, path, controllers: [controller] })) };
}
