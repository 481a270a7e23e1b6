/**
 * Ids of tasks of an agent without root: of the subordinate ones that /etc/subuid and /etc/subgid give its user, one for each task. They exist
 * in a user namespace that newuidmap and newgidmap map: a process of ours holds one open for starts; networks of allocations have one each.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync } from 'node:fs';
import type { TaskDirectories } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { kernelText } from '../lib/node/kernel-file.ts';
import { spawn } from '../lib/node/spawn.ts';
import { type ProbeAnswer, runChild } from './mechanisms/probe.ts';
import { TaskUids } from './uids.ts';
import type { IdRange } from './users.ts';

/** What is mapped: the agent's own id to 0, `count` subordinate ones from `first` to those from 1. */
export interface SubordinateMap {
  readonly first: number;
  readonly count: number;
}

/** util-linux 2.38 and later. */
export const mapSubordinates = ['--map-root-user', '--map-auto'] as const;
const within = ['unshare', '--user', ...mapSubordinates, '--'] as const;
/** Containers of the same user have low ones, as their images say. */
const fewest = 1024;

/** The map is the evidence that it can be had; null: it cannot. */
export async function probeSubordinates(): Promise<{ answer: ProbeAnswer; map: SubordinateMap | null }> {
  const done = await runChild([...within, 'cat', '/proc/self/uid_map', '/proc/self/gid_map']);
  const [uids, gids] = [subordinateRow(done.stdout, 0), subordinateRow(done.stdout, 1)];
  if (done.code !== 0 || uids === null || gids === null)
    return {
      answer: { ok: false, evidence: done.stderr || 'newuidmap maps nothing: /etc/subuid and /etc/subgid need a row' },
      map: null,
    };
  const map = { first: uids.first, count: Math.min(uids.count, gids.count) };
  const evidence = `uids from ${uids.first}, gids from ${gids.first}, ${map.count} of each`;
  return map.count < fewest
    ? { answer: { ok: false, evidence: `${evidence}: at least ${fewest} are needed` }, map: null }
    : { answer: { ok: true, evidence }, map };
}

/** Of the `which`th map in the text: the row from 1. */
function subordinateRow(text: string, which: number): SubordinateMap | null {
  const [, first = '', count = ''] = [...text.matchAll(/^\s*1\s+(\d+)\s+(\d+)$/gm)][which] ?? [];
  return count === '' ? null : { first: Number(first), count: Number(count) };
}

export class SubordinateIds {
  /** Uids of the host. */
  readonly range: IdRange;
  readonly #first: number;
  readonly #uids: TaskUids;
  #holder: Promise<ChildProcess> | null = null;

  /** `directory`: for claims, the agent's own. */
  constructor({ first, count }: SubordinateMap, directory: string) {
    this.#first = first;
    this.range = { first: first + Math.floor(count / 2), last: first + count - 1 };
    this.#uids = new TaskUids(directory, this.range);
  }

  /** Its number in the namespaces, as uid and gid; the task's alone until its directory is gone. */
  claim(owner: string, directory: string): number {
    return this.#uids.claim(owner, directory) - this.#first + 1;
  }

  /** See `TaskUids`. */
  pass(from: string, to: string): void {
    this.#uids.pass(from, to);
  }

  /** The file of a user namespace with these ids. `network`: of a network that its tasks join, whose owner it is; null there: an older agent made it. */
  async namespace(network: string | null): Promise<string | null> {
    const pid = network === null ? (await this.#held()).pid : /^\/proc\/(\d+)\/ns\/net$/.exec(network)?.[1];
    const map = subordinateRow(kernelText(`/proc/${pid}/uid_map`), 0);
    return map?.first === this.#first ? `/proc/${pid}/ns/user` : null;
  }

  /** What the task is to write becomes its own, what it never sees stays the agent's. Once: later it is the task's to change. */
  async give({ local, secrets, private: kept }: TaskDirectories, id: number): Promise<void> {
    chmodSync(kept, 0o711);
    if (lstatSync(secrets).uid !== process.getuid?.()) return;
    chmodSync(secrets, 0o700);
    const { pid } = await this.#held();
    const change = ['chown', '--recursive', '--no-dereference', `${id}:${id}`, local, secrets];
    const done = await runChild(['nsenter', `--user=/proc/${pid}/ns/user`, ...change]);
    if (done.code !== 0)
      throw new Fault('unavailable', `${local} cannot be given to the task: ${done.stderr.trim()}`, {
        recoverable: true,
      });
  }

  /** Ids by the same map: it holds what is held. */
  isFor({ first, count }: SubordinateMap): boolean {
    return first === this.#first && first + count - 1 === this.range.last;
  }

  /** It ends with the agent, whose pipe it reads. */
  async #held(): Promise<ChildProcess> {
    const before = await this.#holder?.catch(() => null);
    if (before?.exitCode === null && before.signalCode === null) return before;
    this.#holder = hold();
    return this.#holder;
  }
}

async function hold(): Promise<ChildProcess> {
  const child = spawn(within[0], [...within.slice(1), 'cat'], { cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined).write('mapped\n');
  const said = await Promise.race([once(child.stdout, 'data'), once(child, 'close').then(() => null)]);
  if (said === null) throw new Fault('unavailable', 'subordinate ids cannot be mapped any more', { recoverable: true });
  child.unref();
  for (const each of [child.stdin, child.stdout]) (each as unknown as { unref?: () => void }).unref?.();
  return child;
}

/** Removes, also what belongs to tasks' own ids and is closed to the agent's: without root that becomes the agent's again first. */
export async function removingOfTasks(directory: string, remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    if (process.getuid?.() === 0 || (code !== 'EACCES' && code !== 'EPERM')) throw error;
    const script = 'chown --recursive --no-dereference 0:0 "$1" && chmod --recursive u+rwX "$1"';
    const done = await runChild([...within, 'sh', '-c', script, 'sh', directory], { timeoutMs: 600_000 });
    if (done.code !== 0) throw error;
    await remove();
  }
}
