/** A driver as a whole program: `await serve(driver)` is its main. Agents (Drover's or Nomad's) start it from their plugin_dir. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cookie } from '../../driver/handshake.ts';
import { formatHclog } from '../../driver/hclog.ts';
import { openIsolation } from '../../isolation/isolation-host.ts';
import { messageOf } from '../../lib/fault.ts';
import { createLog } from '../../lib/log.ts';
import { makeSpreadDirectory } from '../../lib/node/spread-directory.ts';
import { createSupervisor } from '../../supervise/supervisor.ts';
import type { DriverPlugin } from '../driver-plugin.ts';
import { tracedDriver } from '../traced-driver.ts';
import { locateVerifier } from '../verifier-program.ts';
import { divertStdout } from './divert-stdout.ts';
import { servePlugin } from './serve.ts';

export interface ServeOptions {
  /** Where tasks are recorded, so that the next process finds them again. Default `/var/lib/drover/drivers/<name>`, without root below the home directory. */
  readonly stateDirectory?: string;
  /** Every call is said in the log when it is over. */
  readonly trace?: boolean;
}

let capture: ((plugin: DriverPlugin) => void) | null = null;

/** For tools that import a driver's file: what it would serve is handed to `take` in place of being served. */
export function captureServed(take: ((plugin: DriverPlugin) => void) | null): void {
  capture = take;
}

/** Resolves when the host has asked for the end. */
export async function serve(plugin: DriverPlugin, options: ServeOptions = {}): Promise<void> {
  if (capture !== null) {
    capture(plugin);
    return;
  }
  const directory = options.stateDirectory || join(defaultState(), plugin.pluginName);
  // hosts read levels and fields from stderr; stdout is theirs
  divertStdout();
  const log = createLog('', (entry) => process.stderr.write(`${formatHclog(entry)}\n`), Date.now);
  // what an author forgot to await: the host starts this process again, and its operator reads why
  process.on('uncaughtException', (error: unknown) => {
    const { stack = '' } = error instanceof Error ? error : {};
    log.error(`the driver failed outside of its hooks, and ends: ${messageOf(error)}`, { stack });
    process.exit(1);
  });
  const supervisor = createSupervisor();
  const shown: DriverPlugin =
    options.trace === true
      ? { ...plugin, create: (given, deps) => tracedDriver(plugin.create(given, deps), log) }
      : plugin;
  await servePlugin(shown, async () => {
    const isolation = await openIsolation({
      cgroupParent: 'drover.slice',
      verifier: locateVerifier(),
      stateDirectory: directory,
      taskRoot: directory,
    });
    const records = join(directory, 'tasks');
    await makeSpreadDirectory(records, 0o700);
    return { supervisor, isolation, stateDirectory: records, log };
  });
  await supervisor.close();
}

// also for what the author's modules say while they are loaded
if (process.env[cookie.name] === cookie.value) divertStdout();

function defaultState(): string {
  if (process.getuid?.() === 0) return '/var/lib/drover/drivers';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'drover/drivers');
}
