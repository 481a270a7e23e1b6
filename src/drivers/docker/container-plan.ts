/** A task of docker's options → what the kit makes a container of; drivers of engines that speak the same API translate into it. */
import type { TaskConfig } from '../../driver/contract.ts';
import type { ContainerPlan } from '../../driver-kit/container-engine/container-driver.ts';
import { type EngineFacts, isRootless, mapsUsers } from '../../driver-kit/container-engine/engine-facts.ts';
import type { ImageWish } from '../../driver-kit/container-engine/images.ts';
import { millisecond, parseDuration } from '../../lib/duration.ts';
import { Fault } from '../../lib/fault.ts';
import { containerRequest, hasOwnFilter, securityOptions } from './container-request.ts';
import { checkGates } from './gates.ts';
import { mountsOf } from './mounts.ts';
import { driverNetwork, networkMode, publishedPorts } from './networks.ts';
import type { PluginOptions, TaskOptions } from './options.ts';
import { containerLimits } from './resources.ts';

const minute = 60_000;

/** Refuses what the operator forbids (`Fault('denied')`) and what is wrong (`Fault('invalid')`). */
export async function containerPlan(
  task: TaskConfig,
  plugin: PluginOptions,
  given: TaskOptions,
  facts: EngineFacts,
  network: string | null,
): Promise<ContainerPlan> {
  const keepsCoreLimit = hasOwnFilter(task, given);
  const options = keepsCoreLimit && !isRootless(facts) ? withoutCores(given) : given;
  checkGates(plugin, options);
  const mounts = await mountsOf(task, plugin, options);
  const ports = publishedPorts(task, options);
  const limits = containerLimits(task, plugin, options);
  const security = await securityOptions(task, plugin, options);
  const mode = networkMode(task, options, network);
  if (mode.startsWith('container:') && mapsUsers(facts) && options.userns_mode !== 'host')
    throw new Fault(
      'unsupported',
      'the daemon maps users (userns-remap): its containers cannot enter the network of the group; userns_mode = "host" in the task, where the operator allows it, or no network mode of the group',
    );
  const parts = { task, plugin, options, facts, limits, mounts, ports, mode, securityOptions: security };
  return {
    name: containerName(task),
    image: imageWish(task, plugin, options),
    tty: options.tty,
    limits,
    writable: mounts.writable,
    own: mounts.own,
    keepsCoreLimit,
    create: (image) => containerRequest(parts, image.id),
    network: (state) => driverNetwork(state, ports.map, options),
  };
}

/**
 * No images of its memory, unless the job says how large they may be: what an engine has of the limit of `withoutCores` in `src/isolation/rlimits.ts`.
 * A service of an ordinary user may be unable to set it.
 */
const withoutCores = (options: TaskOptions): TaskOptions => ({ ...options, ulimit: { core: '1', ...options.ulimit } });

/** As Nomad names them. */
export function containerName({ name, allocId }: Pick<TaskConfig, 'name' | 'allocId'>): string {
  return `${name.replaceAll('/', '_').replace(/[^a-zA-Z0-9_.-]/g, '_')}-${allocId}`;
}

function imageWish(task: TaskConfig, plugin: PluginOptions, options: TaskOptions): ImageWish {
  const { auth } = options;
  const own = auth === null ? null : { ...auth, serverAddress: auth.server_address };
  return {
    image: options.image,
    load: options.load,
    directory: task.directories.task,
    platform: '',
    tlsVerify: true,
    forcePull: options.force_pull,
    auth: { task: own, config: plugin.auth?.config ?? '', helper: plugin.auth?.helper ?? '' },
    authSoftFail: options.auth_soft_fail,
    timeoutMs: durationMs(options.image_pull_timeout || plugin.image_pull_timeout, 'image_pull_timeout'),
    activityTimeoutMs: Math.max(minute, durationMs(plugin.pull_activity_timeout, 'pull_activity_timeout')),
  };
}

/** `"5m"` → 300000. `Fault('invalid')` names the option. */
export function durationMs(text: string, option: string): number {
  const ns = parseDuration(text);
  if (ns === undefined || ns < 0)
    throw new Fault('invalid', `${option}: ${JSON.stringify(text)} is no duration such as "5m"`);
  return ns / millisecond;
}
