/** The order of a start: image → container made → started, its output followed → looked at. What fails on the way leaves no container. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskConfig } from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { bodyOf, type ContainerPlan, type ContainerRules } from './container-driver.ts';
import { type ContainerCheck, type ContainerTrial, checkContainer, containerChecks } from './container-isolation.ts';
import type { ContainerHandle } from './container-task.ts';
import { type ContainerState, containerState, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { type EngineFacts, mapsUsers, sharesIds } from './engine-facts.ts';
import type { ImageDetails } from './images.ts';
import type { FollowRequest } from './log-collector/follow-request.ts';
import type { HeldSources, OwnSources } from './own-sources.ts';

/** Whose container this is: an agent takes away only what is its own. */
export const ownerLabel = 'drover.owner';
export const taskLabel = 'drover.task_id';
export const allocationLabel = 'com.hashicorp.nomad.alloc_id';

const never = new AbortController().signal;
const tries = 5;
const megabyte = 1024 * 1024;

export interface StartContext {
  readonly client: EngineClient;
  readonly rules: ContainerRules;
  readonly deps: DriverDeps;
  readonly sources: OwnSources;
  readonly facts: EngineFacts;
  /** Keeps the container's output from now on. */
  follow(request: FollowRequest): Promise<void>;
  /** A container made alike. */
  trial(body: Readonly<Record<string, unknown>>, root: boolean, plan: ContainerPlan): Promise<ContainerTrial | null>;
  readonly endpoint: Pick<FollowRequest, 'endpoint' | 'tls' | 'prefix'>;
}

export function ownerOf(deps: DriverDeps): string {
  return createHash('sha256').update(deps.stateDirectory).digest('hex').slice(0, 32);
}

export async function startContainer(
  context: StartContext,
  task: TaskConfig,
  plan: ContainerPlan,
  image: ImageDetails,
  signal: AbortSignal,
): Promise<Started> {
  const body = bodyOf(plan, image);
  const trial = await trialOf(context, task, plan, body, image);
  const held = await context.sources.hold(task, plan.own, image.id, signal);
  try {
    return await startHeld(context, task, plan, { image, body, trial, held }, signal);
  } finally {
    await held.release();
  }
}

interface Started {
  readonly handle: ContainerHandle;
  readonly state: ContainerState;
}

interface Prepared {
  readonly image: ImageDetails;
  readonly body: Readonly<Record<string, unknown>>;
  readonly trial: ContainerTrial | null;
  readonly held: HeldSources;
}

async function startHeld(
  context: StartContext,
  task: TaskConfig,
  plan: ContainerPlan,
  { image, body, trial, held }: Prepared,
  signal: AbortSignal,
): Promise<Started> {
  const { client } = context;
  const id = await createContainer(context, task, plan.name, held.body(body), signal);
  try {
    // the engine's own log has what is said before anybody follows it
    const follows = context.rules.collectLogs && !task.log.disabled;
    const followed = follows ? context.follow(followRequest(context, task, plan, id)) : undefined;
    followed?.catch(() => undefined);
    await persistently(() => client.text('POST', `/containers/${id}/start`, { signal }), signal);
    await followed;
    const seen = await persistently(() => client.json('GET', `/containers/${id}/json`, { signal }), signal);
    const state = containerState(seen);
    const pid = client.endpoint.local && state.running ? state.pid : 0;
    await held.check(pid);
    const check: ContainerCheck = {
      runtime: `${context.rules.engine} ${context.facts.version} (${context.facts.defaultRuntime})`,
      pid,
      ended: state.running ? '' : `the container ended with ${state.exitCode} before it was looked at`,
      limits: plan.limits,
      cgroups: context.deps.isolation.cgroups,
      floor: task.isolationFloor,
      required: task.isolationRequire ?? [],
      trial,
      network: task.network,
      sharesIds: sharesIds(context.facts),
      writable: plan.writable,
      keepsCoreLimit: plan.keepsCoreLimit,
    };
    const isolation = await checkContainer(check);
    const checks = await containerChecks(check);
    const handle: ContainerHandle = {
      version: 1,
      containerId: id,
      name: plan.name,
      imageId: image.id,
      startedAt: String(state.startedAt || BigInt(Date.now()) * 1_000_000n),
      stopSignal: state.stopSignal,
      tty: plan.tty,
      isolation,
      checks,
      network: plan.network(state),
    };
    return { handle, state };
  } catch (error) {
    await removeContainer(client, id).catch(() => {});
    throw startFault(error);
  }
}

/**
 * Of a container that nobody demands anything of and whose user is root nothing is promised: it is not held up. Where the daemon maps users its
 * root is none of the host's, which is worth a try.
 */
async function trialOf(
  context: StartContext,
  task: TaskConfig,
  plan: ContainerPlan,
  body: Readonly<Record<string, unknown>>,
  image: ImageDetails,
): Promise<ContainerTrial | null> {
  const user = textAt(body, 'User') || textAt(image.answer, 'Config', 'User');
  const root = /^(root|0)?(:|$)/.test(user);
  const demanded = task.isolationFloor !== 'none' || (task.isolationRequire ?? []).length > 0;
  const unpromised = root && !demanded && !mapsUsers(context.facts);
  if (!context.client.endpoint.local || unpromised) return { tried: {}, seen: [] };
  return context.trial(body, root, plan);
}

function followRequest(
  context: StartContext,
  task: TaskConfig,
  plan: ContainerPlan,
  containerId: string,
): FollowRequest {
  const { log, directories, name } = task;
  return {
    ...context.endpoint,
    key: cgroupName(task.id),
    engine: context.rules.engine,
    containerId,
    tty: plan.tty,
    directory: directories.logs,
    stdout: `${name}.stdout`,
    stderr: `${name}.stderr`,
    maxFiles: Math.max(1, log.maxFiles),
    maxBytes: Math.max(1, log.maxFileSizeMb) * megabyte,
    fifos: log.fifos,
  };
}

/** A container in the way is one of a former try, made of what the task was then: it is removed. */
async function createContainer(
  context: StartContext,
  task: TaskConfig,
  name: string,
  given: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<string> {
  const { client, rules, deps } = context;
  const labels = {
    ...(given['Labels'] as Readonly<Record<string, string>> | undefined),
    [allocationLabel]: task.allocId,
    [taskLabel]: task.id,
    [ownerLabel]: ownerOf(deps),
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const body = { ...given, Labels: labels };
      const query = { name };
      const made = await persistently(() => client.json('POST', '/containers/create', { query, body, signal }), signal);
      const id = textAt(made, 'Id');
      if (id === '') throw new Fault('unavailable', `${rules.engine} makes no container`, { recoverable: true });
      return id;
    } catch (error) {
      if (!isTaken(error) || attempt >= rules.existsAttempts) throw startFault(error);
      await removeContainer(client, name);
      await sleep(50 * 2 ** attempt, undefined, { signal });
    }
  }
}

/** Podman has no status of its own for a name that is in use. */
function isTaken(error: unknown): boolean {
  return isFault(error, 'conflict') || /name .* is already in use/.test(messageOf(error));
}

/** Podman says the second of a container that ends while it is looked at. */
const passing = / is not reached: |read \/proc\/\d+\/\w+: no such process/;

/** A daemon that is away for a moment is asked again; what it answers is believed. */
async function persistently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const again = isFault(error, 'unavailable') && passing.test(error.message);
      if (!again || attempt >= tries || signal.aborted) throw error;
      await sleep(50 * 2 ** attempt, undefined, { signal });
    }
  }
}

/** Also a running one, with its anonymous volumes. Gone already: no error. */
export async function removeContainer(client: EngineClient, id: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.text('DELETE', `/containers/${id}`, { query: { force: 'true', v: 'true' }, signal: never });
      return;
    } catch (error) {
      // a conflict: "removal is already in progress"
      if (isFault(error, 'not_found') || isFault(error, 'conflict')) return;
      // podman says this of one that ended by itself between its look and its signal: the next look sees that
      if (attempt === tries || !/container state improper/.test(messageOf(error))) throw error;
      await sleep(100 * attempt);
    }
  }
}

/** Whether trying again can help is the engine's to know; its texts say it. */
function startFault(error: unknown): unknown {
  if (!isFault(error) || error.kind === 'unsupported') return error;
  const text = messageOf(error);
  const hopeless =
    /executable file not found|no such file or directory|permission denied|invalid |unknown|not supported/i;
  // removed by somebody after it was looked for: it is pulled at the next try
  const recoverable = /no such image/i.test(text) || (error.recoverable && !hopeless.test(text));
  return new Fault(error.kind === 'not_found' ? 'invalid' : error.kind, text, { recoverable, cause: error });
}
