/** A built-in driver as a plugin of another host: this process is the plugin. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { formatHclog } from '../driver/hclog.ts';
import { servePlugin } from '../driver-kit/serve/serve.ts';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { openIsolation } from '../isolation/isolation-host.ts';
import { Fault } from '../lib/fault.ts';
import { createLog } from '../lib/log.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import { builtInDrivers } from './built-in-drivers.ts';

export const servableDrivers: readonly string[] = builtInDrivers.map(({ pluginName }) => pluginName);

/** Resolves when the host has asked for the end. `Fault('not_found')`: no such driver. */
export async function serveBuiltIn(name: string, stateDirectory: string): Promise<void> {
  const plugin = builtInDrivers.find(({ pluginName }) => pluginName === name);
  if (plugin === undefined)
    throw new Fault('not_found', `there is no driver ${JSON.stringify(name)}; there are ${servableDrivers.join(', ')}`);
  const directory = stateDirectory || join(defaultState(), name);
  // hosts read levels and fields from stderr; stdout is theirs
  const log = createLog('', (entry) => process.stderr.write(`${formatHclog(entry)}\n`), Date.now);
  const supervisor = createSupervisor();
  await servePlugin(plugin, async () => ({
    supervisor,
    isolation: await openIsolation({
      cgroupParent: 'drover.slice',
      verifier: locateVerifier(),
      stateDirectory: directory,
      taskRoot: directory,
    }),
    stateDirectory: join(directory, 'tasks'),
    log,
  }));
  await supervisor.close();
}

/** Where the records of tasks are found again by the next process of this driver. */
function defaultState(): string {
  if (process.getuid?.() === 0) return '/var/lib/drover/drivers';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'drover/drivers');
}
