/** The explicit list of drivers that are part of this program, and how they are opened with the operator's configuration. */
import { join } from 'node:path';
import type { ClientDriver } from '../client/client-driver.ts';
import type { DriverProgram, DriverPrograms } from '../client/driver-programs.ts';
import { type DriverPlugin, type HostDeps, openDriver } from '../driver-kit/driver-plugin.ts';
import type { PluginStatus } from '../driver-kit/remote/external-driver.ts';
import { sweepStarts } from '../driver-kit/sweep.ts';
import { forgetTrials } from '../driver-kit/trial.ts';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { docker } from '../drivers/docker/index.ts';
import { exec } from '../drivers/exec/index.ts';
import { java } from '../drivers/java/index.ts';
import { microvm } from '../drivers/microvm/index.ts';
import { mockDriver } from '../drivers/mock/index.ts';
import { podman } from '../drivers/podman/index.ts';
import { qemu } from '../drivers/qemu/index.ts';
import { rawExec } from '../drivers/raw-exec/index.ts';
import { rkt } from '../drivers/rkt/index.ts';
import { wasm } from '../drivers/wasm/index.ts';
import { type IsolationHost, openIsolation } from '../isolation/isolation-host.ts';
import { gatherTaskMounts, releaseTaskMounts } from '../isolation/task-mounts.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { makeSpreadDirectory } from '../lib/node/spread-directory.ts';
import type { Supervisor } from '../supervise/contract.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import type { AgentConfig } from './config.ts';
import { type DriverListener, openPluginDrivers } from './plugin-drivers.ts';

export const builtInDrivers: readonly DriverPlugin[] = [
  docker,
  exec,
  java,
  microvm,
  mockDriver,
  podman,
  qemu,
  rawExec,
  rkt,
  wasm,
] as unknown as readonly DriverPlugin[];

export const builtInNames: readonly string[] = builtInDrivers.map(({ pluginName }) => pluginName);

export interface BuiltInDrivers {
  readonly drivers: ReadonlyMap<string, ClientDriver>;
  /** Names of device plugins that were found and are not used. */
  readonly devices: readonly string[];
  /** Of the programs behind external drivers. `config`: the newest configuration. */
  programs(config: () => AgentConfig): DriverPrograms;
  /** Hears of drivers that come and go while the agent runs. */
  follow(listener: DriverListener): void;
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
  const taskRoot = config.client!.allocDir || join(config.dataDir, 'alloc');
  const records = join(stateDirectory, 'tasks');
  await Promise.all([makeSpreadDirectory(taskRoot, 0o711), makeSpreadDirectory(records, 0o700)]);
  await forgetTrials(taskRoot);
  const taskMounts = await gatherTaskMounts(taskRoot);
  const host = { supervisor, stateDirectory: records, log };
  return openOn(config, stateDirectory, host, { taskRoot, taskMounts }).catch(async (error: unknown) => {
    await supervisor.close();
    await releaseTaskMounts(taskMounts);
    throw error;
  });
}

async function openOn(
  config: AgentConfig,
  stateDirectory: string,
  host: HostDeps,
  { taskRoot, taskMounts }: { readonly taskRoot: string; readonly taskMounts: string | null },
): Promise<BuiltInDrivers> {
  const client = config.client!;
  const { supervisor } = host;
  // a plugin's start and the look at this host wait for other processes: they wait together
  const plugins = openPluginDrivers(config, stateDirectory, host, new Set(builtInNames));
  const looked = openIsolation({
    cgroupParent: client.cgroupParent || 'drover.slice',
    verifier: locateVerifier(),
    stateDirectory,
    taskRoot,
    taskMounts,
    subordinateIds: client.isolationSubordinateIds,
    diskQuota: client.isolationDiskQuota,
    ...(Object.keys(client.chrootEnv).length === 0 ? {} : { systemPaths: client.chrootEnv }),
  });
  const [isolation, external] = await Promise.all([looked, plugins]).catch(async (error: unknown) => {
    await plugins.then(
      (each) => each.close(),
      () => {},
    );
    throw error;
  });
  const deps = { ...host, isolation };
  const drivers = new Map<string, ClientDriver>(external.drivers);
  for (const plugin of builtInDrivers) {
    if (drivers.has(plugin.pluginName) || config.plugins[plugin.pluginName]?.enabled === false) continue;
    try {
      drivers.set(plugin.pluginName, openDriver(plugin, config.plugins[plugin.pluginName]?.config ?? {}, deps));
    } catch (error) {
      await external.close();
      throw new Fault('invalid', messageOf(error), { cause: error });
    }
  }
  return {
    drivers,
    devices: external.devices,
    programs: (current) => ({
      list: () => programs(external.status(), drivers),
      reload: async () =>
        (await external.reload(current())).map(({ fileName, outcome, reason }) => ({
          File: fileName,
          Outcome: outcome,
          Reason: reason,
        })),
    }),
    follow: (listener) => external.follow(listener),
    isolation,
    supervisor,
    async sweep(known) {
      await sweepStarts(deps, known);
    },
    async close() {
      await Promise.all([external.close(), ...[...drivers.values()].map(({ engine }) => engine.close())]);
      await supervisor.close();
      await releaseTaskMounts(isolation.taskMounts);
    },
  };
}

/** Those of plugin_dir, then those of this program. */
function programs(
  external: readonly PluginStatus[],
  drivers: ReadonlyMap<string, ClientDriver>,
): readonly DriverProgram[] {
  const names = new Set(external.map(({ driver }) => driver));
  const own = [...drivers].filter(([name, { engine }]) => builtInNames.includes(name) && !names.has(engine.info.name));
  return [
    ...external.map(({ fileName, driver, version, program, checksum, pid, problem, tasks }) => ({
      File: fileName,
      Driver: driver ?? '',
      Version: version,
      Command: program,
      Checksum: checksum === '' ? '' : `sha256:${checksum}`,
      Pid: pid,
      Problem: problem ?? '',
      Tasks: tasks,
    })),
    ...own.map(([name, { engine }]) => ({
      File: '',
      Driver: name,
      Version: engine.info.version,
      Command: '',
      Checksum: '',
      Pid: process.pid,
      Problem: '',
      Tasks: 0,
    })),
  ];
}
