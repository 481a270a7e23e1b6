/**
 * What a container is given of its allocation, held still while the engine mounts it. An engine takes a source by its path, and follows links
 * as root: another task of the allocation can put one in its place after it was looked at. So each source is opened, what was opened is looked
 * at, and that very thing is mounted in a directory of the agent's own, whose path the engine gets ("pinned"). A container that has begun has
 * mounts of its own, so the pins last as long as a start:
 *
 *   opened ──(it is below the allocation)──▶ pinned ──(the container has begun, or could not)──▶ let go
 *
 * What a life that was killed left pinned, the next one lets go. Where the agent may not mount, or the engine does not see its mounts, the
 * path is looked at before the start, and what the container got right after it ("looked_at").
 */
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rmdir, unlink, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import { mountDescriptor, unmount } from '../../supervise/mount-process.ts';
import { isAlive, startTimeOf } from '../../supervise/this-host.ts';
import { ownerLabel, removeContainer, taskLabel } from './container-start.ts';
import { textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { type FoundSource, strayedMount, whereIs } from './strayed-mount.ts';

/** A directory or file of the allocation that is mounted into the container. */
export interface OwnSource {
  /** As it is in the body of the call that makes the container. */
  readonly path: string;
  /** Inside. */
  readonly target: string;
  /** It is that very place, and not one somewhere in the allocation that a link of the task's may lead to. */
  readonly exact: boolean;
}

type SourceWay = 'pinned' | 'looked_at';

export interface HeldSources {
  /** The body of the call with what the engine is to mount. */
  body(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Of a container that has begun. `Fault('denied')`: it got what is not the allocation's. */
  check(pid: number): Promise<void>;
  release(): Promise<void>;
}

/** Node has no name for it: what is named is not opened, so nothing happens to a device or FIFO. */
const O_PATH = 0o10_000_000;

export class OwnSources {
  readonly #client: EngineClient;
  readonly #owner: string;
  readonly #directory: string;
  readonly #log: Log;
  readonly #swept: Promise<void>;
  #seen: Promise<boolean> | null = null;
  #way: SourceWay | null = null;

  /** `owner`: whose containers are labelled so. `directory`: the agent's own, that no task enters. */
  constructor(client: EngineClient, owner: string, directory: string, log: Log) {
    this.#client = client;
    this.#owner = owner;
    this.#directory = directory;
    this.#log = log;
    this.#swept = sweep(directory).catch((error: unknown) =>
      log.warn('what containers were given by a former life stays mounted', { directory, error: messageOf(error) }),
    );
  }

  /** How the last start did it; none before the first, and where the engine is elsewhere and has files of its own. */
  attributes(driver: string): Readonly<Record<string, string>> {
    return this.#way === null ? {} : { [`driver.${driver}.own_mounts`]: this.#way };
  }

  /** The engine may be another one, in another place, when it is back. */
  forget(): void {
    this.#seen = null;
  }

  /** `image`: any that the engine has. `Fault('denied')`: a source is not, or no longer, the allocation's. */
  async hold(
    task: TaskConfig,
    sources: readonly OwnSource[],
    image: string,
    signal: AbortSignal,
  ): Promise<HeldSources> {
    if (!this.#client.endpoint.local || process.platform !== 'linux') return heldNowhere;
    await this.#swept;
    const pins = (await this.#sees(image, signal)) ? await this.#place(cgroupName(task.id)) : null;
    this.#way = pins === null ? 'looked_at' : 'pinned';
    const root = await realpath(task.directories.allocation);
    const found: FoundSource[] = [];
    const pinned = new Map<string, string>();
    try {
      for (const [index, source] of sources.entries()) {
        const descriptor = openSource(source, root, task.directories.allocation);
        try {
          if (pins === null) found.push({ target: source.target, place: await whereIs(descriptor) });
          else pinned.set(source.path, await pin(descriptor, join(pins, String(index))));
        } finally {
          closeSync(descriptor);
        }
      }
      return {
        body: (given) => withSources(given, pinned),
        check: async (pid) => {
          if (pins === null && pid > 1) await checkMounts(pid, found, root);
        },
        release: () => (pins === null ? Promise.resolve() : letGo(pins)),
      };
    } catch (error) {
      if (pins !== null) await letGo(pins);
      throw error;
    }
  }

  async #place(name: string): Promise<string> {
    const path = join(this.#directory, `${process.pid}-${startTimeOf(process.pid)}-${name}`);
    makeDirectories(path, 0o700);
    return path;
  }

  /** Whether what is mounted here is there for the engine: asked once, with a container that cannot run. */
  #sees(image: string, signal: AbortSignal): Promise<boolean> {
    if (process.getuid?.() !== 0) return Promise.resolve(false);
    if (this.#seen !== null) return this.#seen;
    const asked = this.#ask(image, signal).catch((error: unknown) => {
      if (this.#seen === asked) this.#seen = null;
      if (signal.aborted) throw error;
      this.#log.warn('what containers are given of their allocation is not pinned', { error: messageOf(error) });
      return false;
    });
    this.#seen = asked;
    return asked;
  }

  async #ask(image: string, signal: AbortSignal): Promise<boolean> {
    const place = await this.#place(randomUUID());
    const [real, shown] = [join(place, 'real'), join(place, 'shown')];
    await mkdir(real);
    await mkdir(shown);
    await writeFile(join(real, marker), '');
    try {
      const descriptor = openSync(real, O_PATH);
      await mountDescriptor(descriptor, shown).finally(() => closeSync(descriptor));
      const mounted = await this.#mounts(join(shown, marker), image, signal);
      await unmount([shown]);
      // podman makes what it does not find: below our mount, where it does not see that
      const seen = mounted && !existsSync(join(shown, marker));
      if (!seen) this.#log.warn('the engine does not see what the agent mounts: secrets in memory are not in /secrets');
      return seen;
    } finally {
      await unlink(join(real, marker)).catch(() => undefined);
      await rmdir(join(shown, marker)).catch(() => undefined);
      await letGo(place);
    }
  }

  async #mounts(path: string, image: string, signal: AbortSignal): Promise<boolean> {
    const body = {
      Image: image,
      // it is missed when everything is mounted
      Entrypoint: [missing],
      Labels: { [taskLabel]: 'trial', [ownerLabel]: this.#owner },
      HostConfig: {
        NetworkMode: 'none',
        Mounts: [{ Type: 'bind', Source: path, Target: '/marker', ReadOnly: true }],
        // podman's own may be more than the host gives
        Ulimits: ['nofile', 'nproc'].map((Name) => ({ Name, Soft: 1024, Hard: 1024 })),
      },
    };
    const query = { name: `drover_sees_${randomUUID()}` };
    let id = '';
    try {
      id = textAt(await this.#client.json('POST', '/containers/create', { query, body, signal }), 'Id');
      await this.#client.text('POST', `/containers/${id}/start`, { signal });
    } catch (error) {
      const said = messageOf(error);
      if (said.includes(path)) return false;
      if (!said.includes(missing)) throw error;
    } finally {
      if (id !== '') await removeContainer(this.#client, id);
    }
    return true;
  }
}

const missing = '/drover-none';
const marker = 'marker';
const exchanged = 'another task of the allocation exchanged it meanwhile';

const heldNowhere: HeldSources = {
  body: (given) => given,
  check: async () => undefined,
  release: async () => undefined,
};

/** What it opened it has looked at: nobody can exchange that any more. */
function openSource(source: OwnSource, root: string, allocation: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(source.path, O_PATH);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there any more' : messageOf(error);
    throw new Fault('invalid', `what is mounted of the allocation, ${source.path}: ${why}`, { cause: error });
  }
  const real = readlinkSync(`/proc/self/fd/${descriptor}`);
  const wanted = join(root, relative(allocation, source.path));
  if (source.exact ? real === wanted : below(root, real)) return descriptor;
  closeSync(descriptor);
  throw new Fault('denied', `${source.path} leads to ${real}, not into the allocation: ${exchanged}`);
}

function below(root: string, path: string): boolean {
  const from = relative(root, path);
  return from === '' || (!from.startsWith('..') && !isAbsolute(from));
}

async function pin(descriptor: number, path: string): Promise<string> {
  if (fstatSync(descriptor).isDirectory()) await mkdir(path, { mode: 0o700 });
  else await writeFile(path, '', { mode: 0o600 });
  await mountDescriptor(descriptor, path);
  return path;
}

/** Nothing is removed but mount points: while something is mounted there, it stays. */
async function letGo(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  await unmount(names.map((name) => join(directory, name))).catch(() => undefined);
  for (const name of names) {
    const path = join(directory, name);
    await rmdir(path).catch(() => unlink(path).catch(() => undefined));
  }
  await rmdir(directory).catch(() => undefined);
}

/** Of processes that have ended. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const [, pid, start] = /^(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && isAlive(Number(pid), BigInt(start ?? 0))) continue;
    await letGo(join(directory, name));
  }
}

async function checkMounts(pid: number, found: readonly FoundSource[], root: string): Promise<void> {
  const directory = openSync(root, O_PATH);
  const allocation = await whereIs(directory).finally(() => closeSync(directory));
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  const strayed = strayedMount(mounts, found, allocation);
  if (strayed !== null)
    throw new Fault('denied', `${strayed} in the container is not what was looked at in ${root}: ${exchanged}`);
}

type Body = Readonly<Record<string, unknown>>;

/** `pinned`: path of a source → where it is pinned. */
function withSources(given: Body, pinned: ReadonlyMap<string, string>): Body {
  const host = (given['HostConfig'] ?? {}) as Body;
  const binds = ((host['Binds'] ?? []) as readonly string[]).map((each) => {
    const source = each.split(':', 1)[0] ?? '';
    return `${pinned.get(source) ?? source}${each.slice(source.length)}`;
  });
  const mounts = ((host['Mounts'] ?? []) as readonly Body[]).map((each) => {
    const pin = each['Type'] === 'bind' ? pinned.get(String(each['Source'])) : undefined;
    return pin === undefined ? each : { ...each, Source: pin };
  });
  return { ...given, HostConfig: { ...host, Binds: binds, Mounts: mounts } };
}
