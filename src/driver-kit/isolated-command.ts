/** What drivers share whose commands run in the strictest isolation this host can give: their checks, their user, their wish. */
import { isAbsolute } from 'node:path';
import type {
  CommandSpec,
  DriverInfo,
  Fingerprint,
  IsolationRung,
  IsolationWish,
  TaskConfig,
} from '../driver/contract.ts';
import { unheldControllers } from '../isolation/cgroup/weight-trial.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { rankOf, rungs } from '../isolation/lines.ts';
import { processAdvice, processRoom, starvedProbe } from '../isolation/process-room.ts';
import { bestRung } from '../isolation/rungs.ts';
import { lookUpUser } from '../isolation/users.ts';
import { Fault, isFault } from '../lib/fault.ts';
import { kernelText } from '../lib/node/kernel-file.ts';
import { abilityAttributes } from '../model/isolation-ability.ts';
import { DeniedUsers } from './denied-users.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { findInSandbox, findOnHost } from './find-program.ts';
import type { IsolatedPluginOptions, IsolatedTaskOptions, Strictness } from './isolated-options.ts';
import { userUnknown } from './nomad-texts.ts';
import { taskCapabilities } from './task-capabilities.ts';
import { triedIsolation } from './trial.ts';

/** Whom a task runs as that names nobody. */
const defaultUser = 'nobody';

/** What the driver itself needs, or can do without, of files. */
type FilesWish = Pick<IsolationWish, 'sharedIds' | 'confined'>;

/** One driver's share: made once of its name and the operator's options, asked for every task. */
export class IsolatedCommand {
  readonly #name: string;
  readonly #config: Strictness & Partial<IsolatedPluginOptions>;
  readonly #denied: DeniedUsers;
  readonly #prefer: IsolationRung;
  readonly #min: IsolationRung;
  readonly #deps: DriverDeps;
  readonly #files: FilesWish;

  /** A wrong option is `Fault('invalid')`. */
  constructor(
    name: string,
    config: Strictness & Partial<IsolatedPluginOptions>,
    deps: DriverDeps,
    files: FilesWish = {},
  ) {
    this.#deps = deps;
    this.#files = files;
    this.#name = name;
    this.#config = config;
    this.#denied = new DeniedUsers(config.denied_host_uids, config.denied_host_gids);
    this.#prefer = rungNamed('prefer', config.isolation?.prefer ?? 'container');
    this.#min = rungNamed('min', config.isolation?.min ?? 'none');
    if (rankOf(this.#min) > rankOf(this.#prefer))
      throw new Fault('invalid', `isolation.min "${this.#min}" is above isolation.prefer "${this.#prefer}"`);
    for (const option of ['default_pid_mode', 'default_ipc_mode'] as const) {
      checkMode(option, config[option] ?? 'private');
    }
  }

  /** A supervisor that starts plain processes only cannot give a sandbox. */
  get host(): IsolationHost {
    const { isolation, supervisor } = this.#deps;
    return supervisor.kind === 'native' ? isolation : { ...isolation, best: 'none' };
  }

  /** Tasks have a view of files of their own. */
  get sandboxed(): boolean {
    return rankOf(this.best) >= rankOf('sandbox');
  }

  /** The rung a task gets here that asks for no network of its own. */
  get best(): IsolationRung {
    const best = this.host.best === 'sandbox' ? bestRung(this.host.probes, this.#runtimes) : this.host.best;
    return rungs[Math.min(rankOf(best), rankOf(this.#prefer))] ?? 'none';
  }

  info(version: string): DriverInfo {
    return {
      name: this.#name,
      version,
      // without a view of files of its own, a task must be told the host's paths
      filesystem: this.sandboxed ? 'chroot' : 'none',
      networkModes: this.sandboxed ? ['host', 'group', 'none'] : ['host', 'group'],
      mounts: this.sandboxed,
    };
  }

  /** Of a driver that works here; `attributes` are its own. What tasks get is found out with trial tasks. */
  async healthy(attributes: Readonly<Record<string, string>> = {}): Promise<Fingerprint> {
    const starved = this.#starved();
    if (starved !== null) {
      const nothing = { ownNetwork: new Set<string>(), hostNetwork: new Set<string>(), unasked: null };
      const tried = abilityAttributes(this.#name, nothing);
      return { health: 'unhealthy', description: starved, attributes: { ...attributes, ...tried } };
    }
    const isolation = this.#wish({ pid_mode: '', ipc_mode: '', cap_add: [], cap_drop: [] }, false);
    const tried = await triedIsolation(this.#deps, this.#name, { defaultUser: this.#defaultUser, isolation });
    const best = tried[`driver.${this.#name}.isolation`] ?? 'none';
    const below = rankOf(rungNamed('min', best)) < rankOf(this.#min);
    return {
      health: below ? 'unhealthy' : 'healthy',
      description: below ? `tasks get rung "${best}" here, below isolation { min = "${this.#min}" }` : 'Healthy',
      attributes: {
        [`driver.${this.#name}`]: '1',
        ...(this.sandboxed ? {} : { [`driver.${this.#name}.volumes`]: '0' }),
        ...attributes,
        ...tried,
        ...this.#unheld(),
      },
    };
  }

  /** What a task may ask for and is not held to here. */
  #unheld(): Readonly<Record<string, string>> {
    const unheld = unheldControllers(this.#deps.isolation.cgroups).join(',');
    return unheld === '' ? {} : { [`driver.${this.#name}.unheld`]: unheld };
  }

  /** A program as the task sees it. */
  find(task: TaskConfig, command: string): Promise<string> {
    return this.sandboxed ? findInSandbox(task, command, this.host.system) : findOnHost(task, command);
  }

  /** Refuses what the operator forbids; everything of the command but the program and its arguments. */
  async around(task: TaskConfig, options: AroundOptions): Promise<Omit<CommandSpec, 'command' | 'args'>> {
    const starved = this.#starved();
    if (starved !== null) throw new Fault('unavailable', starved, { recoverable: true });
    await this.#denied.check(task, defaultUser);
    if (options.work_dir !== '' && !isAbsolute(options.work_dir)) {
      throw new Fault('invalid', `work_dir must be an absolute path, not ${JSON.stringify(options.work_dir)}`);
    }
    return {
      workDir: options.work_dir || (this.sandboxed ? '/' : task.directories.task),
      env: await userVariables(task.user || this.#environmentUser),
      defaultUser: this.#defaultUser,
      isolation: this.#wish(options, bindsLowPort(task)),
      isolationMin: this.#min,
      pidsLimit: this.#config.pids_limit,
      ...(options.cpu_hard_limit === true ? { cpuHardLimit: true } : {}),
      ...(options.io_weight ? { ioWeight: weightOf(options.io_weight) } : {}),
    };
  }

  /** Why nothing is known of this host: its probes could start no process. A task is not let run at what seems to be left. */
  #starved(): string | null {
    const probe = starvedProbe(this.#deps.isolation.probes);
    if (probe === null) return null;
    return `${processAdvice(probe.evidence, processRoom)}; the agent looks again by itself`;
  }

  get #defaultUser(): string {
    return this.host.uid === 0 || this.sandboxed ? defaultUser : '';
  }

  /** As Nomad's on Linux, whoever the task then runs as; elsewhere nobody need be known by that name. */
  get #environmentUser(): string {
    return process.platform === 'linux' ? defaultUser : this.#defaultUser;
  }

  #wish(
    options: Pick<IsolatedTaskOptions, 'pid_mode' | 'ipc_mode' | 'cap_add' | 'cap_drop'>,
    lowPort: boolean,
  ): IsolationWish {
    const { allow_caps = [], capabilities = '' } = this.#config;
    const given = taskCapabilities({ allow_caps, capabilities }, options);
    return {
      prefer: this.#prefer,
      pidMode: modeOf('pid_mode', options.pid_mode, this.#config.default_pid_mode),
      ipcMode: modeOf('ipc_mode', options.ipc_mode, this.#config.default_ipc_mode),
      capabilities: lowPort ? [...new Set([...given, 'NET_BIND_SERVICE'])].sort() : given,
      runtimes: this.#runtimes,
      ...(this.#config.core_dumps ? { coreDumps: true } : {}),
      ...this.#files,
    };
  }

  get #runtimes(): readonly string[] {
    return this.#config.isolation?.runtimes ?? [];
  }
}

/** A driver need not offer limits of its own. */
type AroundOptions = Omit<IsolatedTaskOptions, 'cpu_hard_limit' | 'io_weight'> &
  Partial<Pick<IsolatedTaskOptions, 'cpu_hard_limit' | 'io_weight'>>;

/** A static port of the host's network that only root may bind. */
function bindsLowPort({ network, resources }: TaskConfig): boolean {
  const host = network === null || network.mode === 'host';
  return host && resources.ports.some(({ value }) => value > 0 && value < firstFreePort());
}

/** What a node opened to everybody needs no capability. */
function firstFreePort(): number {
  const text = kernelText('/proc/sys/net/ipv4/ip_unprivileged_port_start').trim();
  return text === '' ? 1024 : Number(text);
}

function weightOf(weight: number): number {
  if (!Number.isInteger(weight) || weight < 1 || weight > 10_000)
    throw new Fault('invalid', `io_weight is 1 to 10000, not ${weight}`);
  return weight;
}

function modeOf(name: string, own: string, fallback = 'private'): 'private' | 'host' {
  const mode = own || fallback;
  checkMode(name, mode);
  return mode === 'host' ? 'host' : 'private';
}

function rungNamed(option: string, text: string): IsolationRung {
  const rung = rungs.find((each) => each === text);
  if (rung === undefined)
    throw new Fault('invalid', `isolation.${option} is one of ${rungs.join(', ')}, not ${JSON.stringify(text)}`);
  return rung;
}

function checkMode(name: string, mode: string): void {
  if (mode !== 'private' && mode !== 'host')
    throw new Fault('invalid', `${name} must be "private" or "host", not ${JSON.stringify(mode)}`);
}

/** `""`: the agent's own. */
async function userVariables(name: string): Promise<Readonly<Record<string, string>>> {
  if (name === '') {
    const own = ['HOME', 'LOGNAME', 'USER'].map((each) => [each, process.env[each] ?? ''] as const);
    return Object.fromEntries(own.filter(([, value]) => value !== ''));
  }
  try {
    const user = await lookUpUser(name);
    return { HOME: user.home, LOGNAME: user.name, USER: user.name };
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    throw new Fault('invalid', userUnknown(name), { cause: error });
  }
}
