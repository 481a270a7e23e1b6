/**
 * The verifier's full set in a container of nobody, made as a task's is but for its program and its volumes: an engine holds no task back
 * before its first instruction, so its configuration is tried first. Once for each configuration and boot.
 */
import { createHash, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mechanism } from '../../isolation/lines.ts';
import {
  areWhole,
  judgeTries,
  mergeTries,
  readTries,
  type Try,
  trialLimits,
  triedRounds,
  tryWords,
} from '../../isolation/tries.ts';
import { messageOf } from '../../lib/fault.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { type Plant, plantFor, trialDirectory } from '../trial-task.ts';
import type { ContainerPlan } from './container-driver.ts';
import { type ContainerTrial, containerLines } from './container-isolation.ts';
import { ownerLabel, ownerOf, removeContainer, taskLabel } from './container-start.ts';
import { containerState, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { type EngineFacts, sharesIds } from './engine-facts.ts';
import { FrameSplitter } from './frames.ts';
import { programImage } from './program-image.ts';

/** The body of a call that makes a container. */
type ContainerBody = Readonly<Record<string, unknown>>;

export interface ContainerTrials {
  /** `root`: the image's user, or the task's, is root. Null: it could not be found out, and says why in the log. */
  of(body: ContainerBody, root: boolean, facts: EngineFacts, plan: LookedFor): Promise<ContainerTrial | null>;
}

/** What the lines seen from the host depend on beside the body. */
type LookedFor = Pick<ContainerPlan, 'writable' | 'keepsCoreLimit'>;

/** Of what a task's container is made: what isolates it. */
const isolating = (
  'Privileged CapDrop CapAdd SecurityOpt ReadonlyRootfs NetworkMode PidMode IpcMode UTSMode UsernsMode CgroupnsMode Runtime Devices ' +
  'Ulimits GroupAdd Sysctls Tmpfs'
).split(' ');

const limitMs = 240_000;
const megabyte = 1024 * 1024;
const scratch = 'scratch';

/** Called while the container runs, with its id. */
type Look = (id: string) => Promise<readonly Mechanism[]>;

export function containerTrials(engine: string, client: EngineClient, deps: DriverDeps): ContainerTrials {
  /** Another container where a try was cut off. @throws where one was each time */
  async function run(body: ContainerBody, root: boolean, look: Look): Promise<ContainerTrial> {
    const rounds: (readonly Try[])[] = [];
    for (;;) {
      const { seen, tries, proven } = await round(body, root, look);
      rounds.push(tries);
      const merged = mergeTries(rounds);
      if (areWhole(merged)) return { seen, tried: judgeTries(merged, proven) };
      if (rounds.length === triedRounds) throw new Error('a try was cut off each time');
    }
  }

  async function round(body: ContainerBody, root: boolean, look: Look) {
    const { verifier, taskRoot } = deps.isolation;
    if (verifier === null) throw new Error('the verifier is not built');
    const signal = AbortSignal.timeout(limitMs);
    const name = `drover_trial_${randomUUID()}`;
    const directory = join(taskRoot, trialDirectory, name);
    makeDirectories(directory, 0o711);
    let plant: Plant | null = null;
    let id = '';
    try {
      plant = await plantFor(deps.isolation, [directory]);
      const image = await programImage(client, imageOf(engine, verifier), signal);
      const nonce = randomUUID();
      const words = tryWords(nonce, [`scratch=/${scratch}`, 'setuid=1', ...plant.words]);
      const made = trialBody(body, { image, root, words, owner: ownerOf(deps) });
      id = textAt(await client.json('POST', '/containers/create', { query: { name }, body: made, signal }), 'Id');
      await client.text('POST', `/containers/${id}/start`, { signal });
      const seen = await look(id);
      const end = await client.json('POST', `/containers/${id}/wait`, { signal, timeoutMs: limitMs });
      const text = await outputOf(client, id, signal);
      // what counted the kills of its group is gone with it
      const tries = readTries(text, nonce, (end as { StatusCode?: unknown }).StatusCode === 137);
      if (tries === null) throw new Error(`the tries did not come to their end: ${text.slice(-200)}`);
      return { seen, tries, proven: (await plant.proven) ?? new Set<string>() };
    } finally {
      if (id !== '') await removeContainer(client, id);
      plant?.remove();
      await rm(directory, { recursive: true, force: true });
    }
  }

  async function seen(id: string, facts: EngineFacts, plan: LookedFor): Promise<readonly Mechanism[]> {
    const signal = AbortSignal.timeout(20_000);
    const { pid } = containerState(await client.json('GET', `/containers/${id}/json`, { signal }));
    if (pid <= 1) throw new Error('the container ended before it was looked at');
    const { memoryMb, pids } = trialLimits;
    const limits = { memoryBytes: memoryMb * megabyte, memoryLowBytes: null, cpuShares: 100, pids, cpusetCpus: '' };
    const { cgroups } = deps.isolation;
    return containerLines({ ...plan, pid, limits, cgroups, network: null, sharesIds: sharesIds(facts) });
  }

  return {
    async of(body, root, facts, { writable, keepsCoreLimit }) {
      const plan = { writable, keepsCoreLimit };
      const { version, defaultRuntime, security, cgroupVersion } = facts;
      const engineIs = [version, defaultRuntime, security, cgroupVersion, client.endpoint.address];
      const key = `container of ${engine} ${digest([wayOf(body), root, engineIs, plan])}`;
      try {
        return await deps.isolation.proofs.once(key, () => run(body, root, (id) => seen(id, facts, plan)));
      } catch (error) {
        // the engine may have been too busy: the next one asks again
        deps.log.warn('what a container can do was not found out', { engine, reason: messageOf(error) });
        return null;
      }
    },
  };
}

function imageOf(engine: string, program: string) {
  // podman takes a name without a host for one of the hub's
  const name = engine === 'podman' ? 'localhost/drover/verify' : 'drover/verify';
  return { name, program, directories: ['etc', 'usr'], open: ['tmp', scratch], setuid: `${scratch}/setuid` };
}

/** What of a container's making isolates; of a joined network only that it is one. */
function wayOf(body: ContainerBody): Readonly<Record<string, unknown>> {
  const host = (body['HostConfig'] ?? {}) as Readonly<Record<string, unknown>>;
  const way = Object.fromEntries(isolating.filter((name) => name in host).map((name) => [name, host[name]]));
  return { ...way, NetworkMode: String(way['NetworkMode'] ?? '').replace(/^(container|ns):.*/, '$1') };
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

function trialBody(
  body: ContainerBody,
  { image, root, words, owner }: { image: string; root: boolean; words: readonly string[]; owner: string },
): ContainerBody {
  const host = (body['HostConfig'] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    Image: image,
    User: root ? '0:0' : '65534:65534',
    Entrypoint: ['/drover-verify'],
    Cmd: ['try', ...words],
    Env: [],
    Healthcheck: { Test: ['NONE'] },
    Labels: { [taskLabel]: 'trial', [ownerLabel]: owner },
    HostConfig: {
      ...Object.fromEntries(isolating.filter((name) => name in host).map((name) => [name, host[name]])),
      LogConfig: { Type: 'json-file', Config: {} },
      PidsLimit: trialLimits.pids,
      Memory: trialLimits.memoryMb * megabyte,
      MemorySwap: trialLimits.memoryMb * megabyte,
      CpuPeriod: 100_000,
      CpuQuota: trialLimits.cores * 100_000,
    },
  };
}

async function outputOf(client: EngineClient, id: string, signal: AbortSignal): Promise<string> {
  const query = { stdout: 'true', stderr: 'true' };
  const stream = await client.stream('GET', `/containers/${id}/logs`, { query, signal });
  const frames = new FrameSplitter();
  let text = '';
  for await (const part of stream) for (const { data } of frames.push(part as Buffer)) text += data.toString();
  return text;
}
