/** `podman`: containers of podman's service, which speaks docker's API; with and without root. */
import { join } from 'node:path';
import { decodedConfig } from '../../driver/config-decode.ts';
import type { TaskConfig } from '../../driver/contract.ts';
import {
  type ContainerDriver,
  type ContainerPlan,
  containerDriverInfo,
} from '../../driver-kit/container-engine/container-driver.ts';
import { containerEngine } from '../../driver-kit/container-engine/container-engine.ts';
import { parseEndpoint } from '../../driver-kit/container-engine/endpoint.ts';
import { EngineClient } from '../../driver-kit/container-engine/engine-client.ts';
import { type EngineFacts, isRootless } from '../../driver-kit/container-engine/engine-facts.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { Fault } from '../../lib/fault.ts';
import { containerName, containerPlan } from '../docker/container-plan.ts';
import { checkPlugin } from '../docker/gates.ts';
import type { PluginOptions as DockerPluginOptions } from '../docker/options.ts';
import { filterInFile } from './filter-file.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';
import { SeveralServices, usualService } from './several-services.ts';
import { asDockerPlugin, asDockerTask, withPodmanOptions } from './translate.ts';

const strictestTask = decodedConfig(taskSchema, {
  image: 'none',
  cap_drop: ['all'],
  // podman's own default limits may be more than its runtime may set
  ulimit: [{ nofile: '1024:1024', nproc: '1024:1024' }],
});

/** The version of docker's API that podman 4 answers. */
const apiPrefix = '/v1.41';
const minute = 60_000;

export const podman = definePlugin({
  pluginName: 'podman',
  configSchema,
  taskSchema,
  create: (config, deps) => {
    const rules = {
      engine: 'podman',
      collectLogs: !config.disable_log_collection,
      removeContainers: config.gc?.container ?? true,
      // as Nomad's: images stay
      removeImagesAfterMs: null,
      existsAttempts: 5,
      dangling: { periodMs: 5 * minute, graceMs: 5 * minute, dryRun: false },
    };
    const driver = new Podman(config, join(deps.stateDirectory, '..', 'podman'));
    const services = servicesOf(config).map(([name, path]) => {
      const client = new EngineClient('podman', parseEndpoint(path), apiPrefix);
      return [name, containerEngine(driver, { client, rules, tls: null, prefix: apiPrefix }, deps)] as const;
    });
    return new SeveralServices(new Map(services));
  },
});

function servicesOf(config: PluginOptions): readonly (readonly [string, string])[] {
  if (config.socket.length === 0) return [[usualService, config.socket_path || usualSocket()]];
  const twice = config.socket.find(({ name }, at) => config.socket.findIndex((each) => each.name === name) < at);
  if (twice !== undefined) throw new Fault('invalid', `socket ${JSON.stringify(twice.name)} is there twice`);
  if (config.socket_path) throw new Fault('invalid', 'socket_path: each service has its path in its socket block');
  return config.socket.map(({ name, socket_path }) => [name, socket_path]);
}

function usualSocket(): string {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? '/run/podman/podman.sock' : `/run/user/${uid}/podman/podman.sock`;
}

class Podman implements ContainerDriver {
  readonly info = containerDriverInfo('podman');
  readonly joins = 'path';
  readonly strictest = strictestTask;
  readonly #config: PluginOptions;
  readonly #docker: DockerPluginOptions;
  readonly #directory: string;

  /** `directory`: the agent's own, for profiles. */
  constructor(config: PluginOptions, directory: string) {
    this.#config = config;
    this.#directory = directory;
    this.#docker = asDockerPlugin(config);
    checkPlugin(this.#docker);
  }

  attributes(facts: EngineFacts): Readonly<Record<string, string>> {
    const has = (name: string): string => String(facts.security.some((each) => each.startsWith(`name=${name}`)));
    return {
      'driver.podman.cgroupVersion': `v${facts.cgroupVersion}`,
      'driver.podman.rootless': has('rootless'),
      'driver.podman.seccompEnabled': has('seccomp'),
      'driver.podman.selinuxEnabled': has('selinux'),
      'driver.podman.appArmor': has('apparmor'),
      'driver.podman.ociRuntime': facts.defaultRuntime,
    };
  }

  async plan(task: TaskConfig, facts: EngineFacts, network: string | null): Promise<ContainerPlan> {
    const options = task.config as TaskOptions;
    const given = { ...options, network_mode: this.#networkMode(task, facts) };
    const plan = await containerPlan(task, this.#docker, asDockerTask(given, this.#config), facts, network);
    const { os, arch, variant } = options;
    const platform = `${os || 'linux'}/${arch}/${variant}`.replace(/\/+$/, '');
    return {
      ...plan,
      image: {
        ...plan.image,
        platform: `${os}${arch}` === '' ? '' : platform,
        tlsVerify: options.auth?.tls_verify ?? true,
      },
      create: (image) => withPodmanOptions(plan.create(image), options, image.answer),
      written: (body) => this.#withFiles(body),
    };
  }

  #withFiles(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const host = request['HostConfig'] as { readonly SecurityOpt: readonly string[] };
    return {
      ...request,
      HostConfig: { ...host, SecurityOpt: host.SecurityOpt.map((each) => filterInFile(this.#directory, each)) },
    };
  }

  #networkMode({ config, allocId }: TaskConfig, facts: EngineFacts): string {
    const { network_mode: mode } = config as TaskOptions;
    const of = /^task:(.+)$/.exec(mode)?.[1];
    if (of !== undefined) return `container:${containerName({ name: of, allocId })}`;
    return mode === '' && isRootless(facts) ? (this.#config.networking?.default_rootless_mode ?? '') : mode;
  }
}
