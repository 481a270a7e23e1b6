/** External drivers: the programs in plugin_dir, started beside the agent. One that cannot be used is a driver that says why. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientDriver } from '../client/client-driver.ts';
import type { HostDeps } from '../driver-kit/driver-plugin.ts';
import {
  type ExternalDriver,
  externalDriver,
  type PluginProgram,
  type PluginStatus,
} from '../driver-kit/remote/external-driver.ts';
import { type FoundPlugin, findPlugins } from '../driver-kit/remote/plugin-directory.ts';
import { Turns } from '../driver-kit/turns.ts';
import { millisecond } from '../lib/duration.ts';
import { messageOf } from '../lib/fault.ts';
import { compareVersions, parseVersion } from '../lib/go-version.ts';
import type { AgentConfig } from './config.ts';

/** What plugins may need of the agent's environment; never all of it, for it may hold secrets. */
const passedOn = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'XDG_RUNTIME_DIR', 'DOCKER_HOST', 'CONTAINER_HOST'];

/** What a reload did with one plugin. */
export interface PluginReload {
  readonly fileName: string;
  readonly outcome: 'unchanged' | 'replaced' | 'started' | 'failed' | 'kept';
  readonly reason: string;
}

/** Hears of drivers that come and go while the agent runs. */
export interface DriverListener {
  added(name: string, driver: ClientDriver): void;
  removed(name: string): void;
  /** Its plugin was started anew, or replaced. */
  renewed(name: string): void;
  /** A device plugin was found, which is not used. */
  device(name: string): void;
}

export interface PluginDrivers {
  /** By the name jobs use; as they are now. */
  readonly drivers: ReadonlyMap<string, ClientDriver>;
  /** Names of device plugins that were found; nothing is done with them. */
  readonly devices: readonly string[];
  status(): readonly PluginStatus[];
  /** Also tells what came and went since it was opened: the listener may know some of it. */
  follow(listener: DriverListener): void;
  /** Looks into plugin_dir again, with the `plugin` blocks of this configuration. */
  reload(config: AgentConfig): Promise<readonly PluginReload[]>;
  close(): Promise<void>;
}

/**
 * `builtIn`: names of drivers of this program; a plugin of such a name takes its place, also while it cannot be used.
 * `openLimitMs`: slow plugins are not waited for longer: they come later, under the name they had when they were last up.
 */
export async function openPluginDrivers(
  config: AgentConfig,
  stateDirectory: string,
  deps: HostDeps,
  builtIn: ReadonlySet<string>,
  openLimitMs = 20_000,
): Promise<PluginDrivers> {
  const set = new PluginSet(stateDirectory, deps, builtIn);
  await set.open(config, openLimitMs);
  return set;
}

class PluginSet implements PluginDrivers {
  readonly drivers = new Map<string, ClientDriver>();
  devices: readonly string[] = [];
  readonly #plugins = new Map<string, ExternalDriver>();
  #listener: DriverListener | null = null;
  /** What nobody heard of: plugins also come up while the client, which will listen, is being made. */
  readonly #untold: ((listener: DriverListener) => void)[] = [];
  /** A second reload looks at what the first left. */
  readonly #turns = new Turns();
  readonly #stateDirectory: string;
  readonly #deps: HostDeps;
  readonly #builtIn: ReadonlySet<string>;

  constructor(stateDirectory: string, deps: HostDeps, builtIn: ReadonlySet<string>) {
    this.#stateDirectory = stateDirectory;
    this.#deps = { ...deps, log: deps.log.child('plugin') };
    this.#builtIn = builtIn;
  }

  async open(config: AgentConfig, limitMs: number): Promise<void> {
    for (const found of await this.#find(config)) this.#make(found, config);
    const limit = new AbortController();
    await Promise.race([
      Promise.all([...this.#plugins.values()].map((each) => each.open())),
      sleep(limitMs, undefined, { signal: limit.signal }).catch(() => {}),
    ]);
    limit.abort();
    for (const each of this.#plugins.values()) await this.#enter(each);
  }

  async #find({ pluginDir, plugins }: AgentConfig): Promise<FoundPlugin[]> {
    const { log } = this.#deps;
    const found = await findPlugins(pluginDir, plugins, log);
    const there = new Set(found.map(({ name }) => name));
    for (const [name, { enabled }] of Object.entries(plugins))
      if (enabled && !there.has(name) && !this.#builtIn.has(name))
        log.warn('a plugin block is of no driver: no file in plugin_dir is called so that could be started', {
          plugin: name,
          directory: pluginDir,
        });
    return found;
  }

  #make(found: FoundPlugin, config: AgentConfig): ExternalDriver {
    const { name } = found;
    const plugin = externalDriver({
      ...programOf(found, config),
      fileName: name,
      directory: join(this.#stateDirectory, 'plugins', name),
      log: this.#deps.log.child(name),
      deps: this.#deps,
      up: () => this.#named(plugin),
    });
    this.#plugins.set(name, plugin);
    return plugin;
  }

  follow(listener: DriverListener): void {
    this.#listener = listener;
    for (const told of this.#untold.splice(0)) told(listener);
  }

  #tell(told: (listener: DriverListener) => void): void {
    if (this.#listener === null) this.#untold.push(told);
    else told(this.#listener);
  }

  /** One that came up late says only then what it is called: until now it stood under its file's name. */
  #named(plugin: ExternalDriver): void {
    const before = [...this.drivers].find(([, driver]) => driver === plugin)?.[0];
    const { name } = plugin.engine.info;
    if (before === undefined) return;
    if (before === name && plugin.device === null) {
      this.#tell((listener) => listener.renewed(name));
      return;
    }
    this.drivers.delete(before);
    const { device } = plugin;
    if (device !== null) {
      this.#foundDevice(device);
      this.#tell((listener) => listener.device(device));
    }
    this.#tell((listener) => listener.removed(before));
    if (device !== null) return;
    if (this.drivers.has(name) || this.#builtIn.has(name)) {
      this.#deps.log.warn('a plugin that came up late is not used: there is a driver of its name', { driver: name });
      return;
    }
    this.drivers.set(name, plugin);
    this.#tell((listener) => listener.added(name, plugin));
  }

  /** Under the name that jobs use; false: there is a newer one of that name, or it is no driver. */
  async #enter(plugin: ExternalDriver): Promise<boolean> {
    const { log } = this.#deps;
    const { name, version } = plugin.engine.info;
    if (plugin.device !== null) {
      this.#foundDevice(plugin.device);
      await plugin.close();
      return false;
    }
    if (!replaces(plugin, this.drivers.get(name))) {
      log.warn('a plugin is not used: there is a newer driver of its name', { driver: name, version });
      await plugin.close();
      return false;
    }
    if (this.#builtIn.has(name)) log.warn('a plugin takes the place of a built-in driver', { driver: name });
    this.drivers.set(name, plugin);
    return true;
  }

  #foundDevice(device: string): void {
    this.devices = [...this.devices, device].sort();
    this.#deps.log.error('a device plugin is not used: devices are not supported by this version', { device });
  }

  status(): readonly PluginStatus[] {
    return [...this.#plugins.values()].map((each) => each.status());
  }

  reload(config: AgentConfig): Promise<readonly PluginReload[]> {
    return this.#turns.take('reload', () => this.#reload(config));
  }

  async #reload(config: AgentConfig): Promise<readonly PluginReload[]> {
    const found = await this.#find(config);
    const there = new Set(found.map(({ name }) => name));
    const gone = [...this.#plugins.keys()].filter((name) => !there.has(name));
    const rows = await Promise.all(found.map((each) => this.#reloadOne(each, config)));
    return [
      ...rows,
      ...gone.map((fileName): PluginReload => {
        return { fileName, outcome: 'kept', reason: 'its file or block is gone; it runs until the agent restarts' };
      }),
    ];
  }

  async #reloadOne(found: FoundPlugin, config: AgentConfig): Promise<PluginReload> {
    const fileName = found.name;
    try {
      const known = this.#plugins.get(fileName);
      if (known !== undefined) return { fileName, outcome: await known.reload(programOf(found, config)), reason: '' };
      const plugin = this.#make(found, config);
      await plugin.open();
      const { name } = plugin.engine.info;
      if (this.drivers.has(name) || this.#builtIn.has(name)) {
        await plugin.close();
        this.#plugins.delete(fileName);
        const reason = `there is a driver ${name} already; it is replaced when the agent restarts`;
        return { fileName, outcome: 'failed', reason };
      }
      if (!(await this.#enter(plugin))) return { fileName, outcome: 'failed', reason: plugin.problem ?? '' };
      this.#tell((listener) => listener.added(name, plugin));
      return plugin.problem === null
        ? { fileName, outcome: 'started', reason: '' }
        : { fileName, outcome: 'failed', reason: plugin.problem };
    } catch (error) {
      return { fileName, outcome: 'failed', reason: messageOf(error) };
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#plugins.values()].map((each) => each.close()));
  }
}

function programOf({ name, path }: FoundPlugin, config: AgentConfig): PluginProgram {
  const { args, config: options, checksum, autoMtls, callTimeout, startTimeout } = config.plugins[name]!;
  return {
    command: [path, ...args],
    config: options,
    env: Object.fromEntries(
      passedOn.flatMap((variable) => {
        const value = process.env[variable];
        return value === undefined ? [] : [[variable, value] as const];
      }),
    ),
    checksum,
    tls: autoMtls,
    limits: { questionMs: callTimeout / millisecond, startMs: startTimeout / millisecond },
    handshakeMs: Math.min(60_000, startTimeout / millisecond),
  };
}

/** One that is not up has no version: it still stands for its name, and says why it cannot be used. */
function replaces(plugin: ExternalDriver, other: ClientDriver | undefined): boolean {
  const [own, their] = [plugin.engine.info.version, other?.engine.info.version].map((text) => parseVersion(text ?? ''));
  if (plugin.problem !== null || own === undefined || their === undefined) return true;
  return compareVersions(own, their) >= 0;
}
