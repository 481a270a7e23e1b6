/** External drivers: the programs in plugin_dir, started beside the agent. One that cannot be used is a driver that says why. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientDriver } from '../client/client-driver.ts';
import type { DriverDeps } from '../driver-kit/driver-plugin.ts';
import { type ExternalDriver, externalDriver } from '../driver-kit/remote/external-driver.ts';
import { findPlugins } from '../driver-kit/remote/plugin-directory.ts';
import { compareVersions, parseVersion } from '../lib/go-version.ts';
import type { AgentConfig } from './config.ts';

/** What plugins may need of the agent's environment; never all of it, for it may hold secrets. */
const passedOn = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'XDG_RUNTIME_DIR', 'DOCKER_HOST', 'CONTAINER_HOST'];
/** The agent does not wait longer for slow plugins: they come later. */
const openLimitMs = 20_000;

export interface PluginDrivers {
  /** By the name jobs use. */
  readonly drivers: ReadonlyMap<string, ClientDriver>;
  close(): Promise<void>;
}

/** `builtIn`: names of drivers of this program; a plugin of such a name takes its place, also while it cannot be used. */
export async function openPluginDrivers(
  config: AgentConfig,
  stateDirectory: string,
  deps: DriverDeps,
  builtIn: ReadonlySet<string>,
): Promise<PluginDrivers> {
  const log = deps.log.child('plugin');
  const found = await findPlugins(config.pluginDir, new Set(Object.keys(config.plugins)), log);
  const env = Object.fromEntries(
    passedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const])),
  );
  const opened = found.map(({ name, path }) =>
    externalDriver({
      fileName: name,
      command: [path, ...(config.plugins[name]?.args ?? [])],
      config: config.plugins[name]?.config ?? {},
      env,
      directory: join(stateDirectory, 'plugins', name),
      log: log.child(name),
      deps,
    }),
  );
  const limit = new AbortController();
  await Promise.race([
    Promise.all(opened.map((each) => each.open())),
    sleep(openLimitMs, undefined, { signal: limit.signal }).catch(() => {}),
  ]);
  limit.abort();
  const drivers = new Map<string, ClientDriver>();
  for (const each of opened) {
    const { name } = each.engine.info;
    if (!replaces(each, drivers.get(name))) {
      log.warn('a plugin is not used: there is a newer driver of its name', {
        driver: name,
        version: each.engine.info.version,
      });
      await each.close();
      continue;
    }
    if (builtIn.has(name)) log.warn('a plugin takes the place of a built-in driver', { driver: name });
    drivers.set(name, each);
  }
  return {
    drivers,
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

/** One that is not up has no version: it still stands for its name, and says why it cannot be used. */
function replaces(plugin: ExternalDriver, other: ClientDriver | undefined): boolean {
  const [own, their] = [plugin.engine.info.version, other?.engine.info.version].map((text) => parseVersion(text ?? ''));
  if (plugin.problem !== null || own === undefined || their === undefined) return true;
  return compareVersions(own, their) >= 0;
}
