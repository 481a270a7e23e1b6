/** `rkt`: archived. Says what takes its place, and where the operator wants it, runs its jobs as containers of podman. */
import { join } from 'node:path';
import type { EngineDriver, Fingerprint, TaskConfig } from '../../driver/contract.ts';
import { rktAdvice, rktSchema, rktToPodman } from '../../driver/rkt-to-podman.ts';
import { changedEngine } from '../../driver-kit/changed-engine.ts';
import { type DriverDeps, definePlugin, openDriver } from '../../driver-kit/driver-plugin.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { refusalsOf } from '../../driver-kit/rehearsal.ts';
import { Fault } from '../../lib/fault.ts';
import { podman } from '../podman/index.ts';
import { configSchema, type PluginOptions } from './options.ts';

export const rkt = definePlugin({
  pluginName: 'rkt',
  configSchema,
  taskSchema: rktSchema,
  create: (config, deps) => (config.translate ? translating(config, deps) : gone()),
});

const description = 'archived: use podman, or plugin "rkt" { config { translate = true } }';

/** Knows no task, and takes none. */
function gone(): EngineDriver {
  const unknown = async (taskId: string): Promise<never> => {
    throw new Fault('not_found', `no task ${taskId}`);
  };
  return {
    info: { name: 'rkt', version: '0.1.0', filesystem: 'image', networkModes: ['host', 'group', 'none'], mounts: true },
    fingerprint: (signal) => fingerprints(async () => ({ health: 'undetected', description, attributes: {} }), signal),
    rehearse: async (task) => [rktAdvice(task.config as Readonly<Record<string, unknown>>)],
    start: async (task) => {
      throw new Fault('unsupported', rktAdvice(task.config as Readonly<Record<string, unknown>>));
    },
    recover: ({ id }) => unknown(id),
    wait: unknown,
    stop: unknown,
    destroy: unknown,
    inspect: unknown,
    close: async () => undefined,
  };
}

function translating(config: PluginOptions, deps: DriverDeps): EngineDriver {
  // records of its own: the driver of podman clears away containers that it does not know
  const own = { ...deps, stateDirectory: join(deps.stateDirectory, '..', 'rkt', 'tasks') };
  const options = {
    ...(config.socket_path === '' ? {} : { socket_path: config.socket_path }),
    volumes: [{ enabled: config.volumes_enabled }],
  };
  const { engine, decodeConfig } = openDriver(podman, options, own);
  const translated = (task: TaskConfig): TaskConfig => {
    const { config: given, dns, problems } = rktToPodman(task.config as Readonly<Record<string, unknown>>);
    const decoded = decodeConfig(given);
    const wrong = decoded.ok ? problems : [...problems, ...decoded.problems];
    if (!decoded.ok || wrong.length > 0)
      throw new Fault('invalid', `options of rkt that podman cannot take: ${wrong.join('; ')}`);
    const named = dns.servers.length > 0 || dns.searches.length > 0;
    return { ...task, config: decoded.value, dns: named ? { options: [], ...task.dns, ...dns } : task.dns };
  };
  return changedEngine(engine, {
    get info() {
      return { ...engine.info, name: 'rkt' };
    },
    fingerprint: (signal) => renamed(engine.fingerprint(signal)),
    rehearse: async (task, signal) => {
      const refusals = await refusalsOf(signal, async () => translated(task));
      return refusals.length > 0 ? refusals : engine.rehearse!(translated(task), signal);
    },
    start: async (task, signal) => engine.start(translated(task), signal),
    recover: async (task, ...rest) => engine.recover(translated(task), ...rest),
  });
}

/** What podman says of itself, under this driver's name. */
async function* renamed(reports: AsyncIterable<Fingerprint>): AsyncIterable<Fingerprint> {
  for await (const report of reports) {
    const attributes = Object.entries(report.attributes).map(([name, value]) => [
      name.replace(/^driver\.podman(?=\.|$)/, 'driver.rkt'),
      value,
    ]);
    yield { ...report, attributes: Object.fromEntries(attributes) };
  }
}
