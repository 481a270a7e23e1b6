/** `docker`: containers of a Docker daemon, spoken to over its own API. */
import { decodedConfig } from '../../driver/config-decode.ts';
import type { TaskConfig } from '../../driver/contract.ts';
import {
  type ContainerDriver,
  type ContainerPlan,
  type ContainerRules,
  containerDriverInfo,
} from '../../driver-kit/container-engine/container-driver.ts';
import { containerEngine } from '../../driver-kit/container-engine/container-engine.ts';
import { type EndpointTls, parseEndpoint } from '../../driver-kit/container-engine/endpoint.ts';
import { EngineClient } from '../../driver-kit/container-engine/engine-client.ts';
import type { EngineFacts } from '../../driver-kit/container-engine/engine-facts.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { containerPlan, durationMs } from './container-plan.ts';
import { checkPlugin } from './gates.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';

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

/** A container whose user may do nothing more. */
const strictestTask = decodedConfig(taskSchema, { image: 'none', cap_drop: ['all'] });

/** Daemons from 20.10 on speak it. */
const apiPrefix = '/v1.41';
const minute = 60_000;

class Docker implements ContainerDriver {
  readonly info = containerDriverInfo('docker');
  readonly joins = 'container';
  readonly strictest = strictestTask;
  readonly #config: PluginOptions;

  constructor(config: PluginOptions) {
    this.#config = config;
    checkPlugin(config);
    for (const name of ['image_pull_timeout', 'pull_activity_timeout'] as const) durationMs(config[name], name);
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

  plan(task: TaskConfig, facts: EngineFacts, network: string | null): Promise<ContainerPlan> {
    return containerPlan(task, this.#config, task.config as TaskOptions, facts, network);
  }
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
