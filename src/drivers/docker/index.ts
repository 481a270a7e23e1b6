/** `docker`: containers of a Docker daemon, spoken to over its own API. */
import type { DriverInfo, TaskConfig } from '../../driver/contract.ts';
import type {
  ContainerDriver,
  ContainerPlan,
  ContainerRules,
} from '../../driver-kit/container-engine/container-driver.ts';
import { containerEngine } from '../../driver-kit/container-engine/container-engine.ts';
import { type EndpointTls, parseEndpoint } from '../../driver-kit/container-engine/endpoint.ts';
import { EngineClient } from '../../driver-kit/container-engine/engine-client.ts';
import type { EngineFacts } from '../../driver-kit/container-engine/engine-facts.ts';
import type { ImageWish } from '../../driver-kit/container-engine/images.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { millisecond, parseDuration } from '../../lib/duration.ts';
import { Fault } from '../../lib/fault.ts';
import { containerRequest, securityOptions } from './container-request.ts';
import { checkGates } from './gates.ts';
import { mountsOf } from './mounts.ts';
import { driverNetwork, publishedPorts } from './networks.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';
import { containerLimits } from './resources.ts';

export const docker = definePlugin({
  pluginName: 'docker',
  configSchema,
  taskSchema,
  create: (config, deps) => {
    const address = config.endpoint || process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock';
    const tls: EndpointTls | null = config.tls;
    const client = new EngineClient('docker', parseEndpoint(address, tls), apiPrefix);
    return containerEngine(new Docker(config), { client, rules: rulesOf(config), tls, prefix: apiPrefix }, deps);
  },
});

/** Daemons from 20.10 on speak it. */
const apiPrefix = '/v1.41';
const minute = 60_000;

class Docker implements ContainerDriver {
  readonly info: DriverInfo = {
    name: 'docker',
    version: '0.1.0',
    filesystem: 'image',
    networkModes: ['host', 'none'],
    mounts: true,
  };
  readonly #config: PluginOptions;

  constructor(config: PluginOptions) {
    this.#config = config;
    durationMs(config.image_pull_timeout, 'image_pull_timeout');
  }

  attributes(facts: EngineFacts): Readonly<Record<string, string>> {
    const config = this.#config;
    const yes = (name: string, is: boolean): Readonly<Record<string, string>> => (is ? { [name]: '1' } : {});
    return {
      'driver.docker.os_type': facts.osType,
      'driver.docker.runtimes': facts.runtimes.join(','),
      ...(facts.bridgeIp === '' ? {} : { 'driver.docker.bridge_ip': facts.bridgeIp }),
      ...yes('driver.docker.privileged.enabled', config.allow_privileged),
      ...yes('driver.docker.volumes.enabled', config.volumes?.enabled === true),
      ...(config.pids_limit > 0 ? { 'driver.docker.pids.limit': String(config.pids_limit) } : {}),
    };
  }

  async plan(task: TaskConfig, facts: EngineFacts): Promise<ContainerPlan> {
    const plugin = this.#config;
    const options = task.config as TaskOptions;
    checkGates(plugin, options);
    const mounts = await mountsOf(task, plugin, options);
    const ports = publishedPorts(task, options);
    const limits = containerLimits(task, plugin, options);
    const security = await securityOptions(task, plugin, options);
    const parts = { task, plugin, options, facts, limits, mounts, ports, securityOptions: security };
    return {
      name: containerName(task),
      image: imageWish(task, plugin, options),
      tty: options.tty,
      limits,
      writable: mounts.writable,
      create: (image) => containerRequest(parts, image.id),
      network: (state) => driverNetwork(state, ports.map, options),
    };
  }
}

/** As Nomad names them. */
function containerName(task: TaskConfig): string {
  return `${task.name.replaceAll('/', '_').replace(/[^a-zA-Z0-9_.-]/g, '_')}-${task.allocId}`;
}

function imageWish(task: TaskConfig, plugin: PluginOptions, options: TaskOptions): ImageWish {
  const { auth } = options;
  const own = auth === null ? null : { ...auth, serverAddress: auth.server_address };
  return {
    image: options.image,
    load: options.load,
    directory: task.directories.task,
    forcePull: options.force_pull,
    auth: { task: own, config: plugin.auth?.config ?? '', helper: plugin.auth?.helper ?? '' },
    authSoftFail: options.auth_soft_fail,
    timeoutMs: durationMs(options.image_pull_timeout || plugin.image_pull_timeout, 'image_pull_timeout'),
    activityTimeoutMs: Math.max(minute, durationMs(plugin.pull_activity_timeout, 'pull_activity_timeout')),
  };
}

function rulesOf(config: PluginOptions): ContainerRules {
  const { gc } = config;
  const dangling = gc?.dangling_containers;
  return {
    engine: 'docker',
    collectLogs: !config.disable_log_collection,
    removeContainers: gc?.container ?? true,
    removeImagesAfterMs: (gc?.image ?? true) ? durationMs(gc?.image_delay ?? '3m', 'gc.image_delay') : null,
    existsAttempts: Math.max(1, config.container_exists_attempts),
    dangling:
      dangling?.enabled === false
        ? null
        : {
            periodMs: durationMs(dangling?.period ?? '5m', 'gc.dangling_containers.period'),
            graceMs: Math.max(
              minute,
              durationMs(dangling?.creation_grace ?? '5m', 'gc.dangling_containers.creation_grace'),
            ),
            dryRun: dangling?.dry_run ?? false,
          },
  };
}

function durationMs(text: string, option: string): number {
  const ns = parseDuration(text);
  if (ns === undefined || ns < 0)
    throw new Fault('invalid', `${option}: ${JSON.stringify(text)} is no duration such as "5m"`);
  return ns / millisecond;
}
