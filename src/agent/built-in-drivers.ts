/** The explicit list of drivers that are part of this program, and how they are opened with the operator's configuration. */
import { join } from 'node:path';
import type { ClientDriver } from '../client/client-driver.ts';
import { type DriverPlugin, openDriver } from '../driver-kit/driver-plugin.ts';
import { sweepStarts } from '../driver-kit/sweep.ts';
import { forgetTrials } from '../driver-kit/trial.ts';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { exec } from '../drivers/exec/index.ts';
import { java } from '../drivers/java/index.ts';
import { mockDriver } from '../drivers/mock/index.ts';
import { rawExec } from '../drivers/raw-exec/index.ts';
import { type IsolationHost, openIsolation } from '../isolation/isolation-host.ts';
import { gatherTaskMounts, releaseTaskMounts } from '../isolation/task-mounts.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Supervisor } from '../supervise/contract.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import type { AgentConfig } from './config.ts';
import { openPluginDrivers } from './plugin-drivers.ts';

export const builtInDrivers: readonly DriverPlugin[] = [
  exec,
  java,
  mockDriver,
  rawExec,
] as unknown as readonly DriverPlugin[];

export interface BuiltInDrivers {
  readonly drivers: ReadonlyMap<string, ClientDriver>;
  readonly isolation: IsolationHost;
  readonly supervisor: Supervisor;
  /** Ends and removes what was started by an agent that died before it could store it. */
  sweep(known: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openBuiltInDrivers(
  config: AgentConfig,
  stateDirectory: string,
  log: Log,
): Promise<BuiltInDrivers> {
  const supervisor = createSupervisor();
  const client = config.client!;
  const taskRoot = client.allocDir || join(config.dataDir, 'alloc');
  await forgetTrials(taskRoot);
  const isolation = await openIsolation({
    cgroupParent: client.cgroupParent || 'drover.slice',
    verifier: locateVerifier(),
    stateDirectory,
    taskRoot,
    taskMounts: await gatherTaskMounts(taskRoot),
    ...(Object.keys(client.chrootEnv).length === 0 ? {} : { systemPaths: client.chrootEnv }),
  });
  const deps = { supervisor, isolation, stateDirectory: join(stateDirectory, 'tasks'), log };
  const names = new Set(builtInDrivers.map(({ pluginName }) => pluginName));
  const external = await openPluginDrivers(config, stateDirectory, deps, names);
  const drivers = new Map<string, ClientDriver>(external.drivers);
  for (const plugin of builtInDrivers) {
    if (drivers.has(plugin.pluginName)) continue;
    try {
      drivers.set(plugin.pluginName, openDriver(plugin, pluginConfig(config, plugin.pluginName), deps));
    } catch (error) {
      await external.close();
      throw new Fault('invalid', messageOf(error), { cause: error });
    }
  }
  return {
    drivers,
    isolation,
    supervisor,
    async sweep(known) {
      await sweepStarts(deps, known);
    },
    async close() {
      await Promise.all([...drivers.values()].map(({ engine }) => engine.close()));
      await supervisor.close();
      await releaseTaskMounts(isolation.taskMounts);
    },
  };
}

/** `plugin "x" { config {} }`, or what the older client options say. */
function pluginConfig(config: AgentConfig, name: string): unknown {
  const options = config.client?.options ?? {};
  const given = config.plugins[name]?.config ?? {};
  const legacy = options[`driver.${name}.enable`];
  if (legacy === undefined || Object.hasOwn(given as object, 'enabled')) return given;
  return { ...(given as object), enabled: legacy === 'true' || legacy === '1' };
}
