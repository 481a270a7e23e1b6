/** A driver as a whole program: `await serve(driver)` is its main. Agents (Drover's or Nomad's) start it from their plugin_dir. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { formatHclog } from '../../driver/hclog.ts';
import { openIsolation } from '../../isolation/isolation-host.ts';
import { createLog } from '../../lib/log.ts';
import { createSupervisor } from '../../supervise/supervisor.ts';
import type { DriverPlugin } from '../driver-plugin.ts';
import { locateVerifier } from '../verifier-program.ts';
import { servePlugin } from './serve.ts';

export interface ServeOptions {
  /** Where tasks are recorded, so that the next process finds them again. Default `/var/lib/drover/drivers/<name>`, without root below the home directory. */
  readonly stateDirectory?: string;
}

/** Resolves when the host has asked for the end. */
export async function serve(plugin: DriverPlugin, options: ServeOptions = {}): Promise<void> {
  const directory = options.stateDirectory || join(defaultState(), plugin.pluginName);
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

function defaultState(): string {
  if (process.getuid?.() === 0) return '/var/lib/drover/drivers';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'drover/drivers');
}
