/**
 * A bound on what an allocation writes to the node's disk: its directory, and all that is made in it, belongs to a project of its own, which the
 * file system keeps to a quota. Set before anything of the allocation runs; given back when its files are gone.
 */
import { dirname } from 'node:path';
import { Fault } from '../lib/fault.ts';
import { tryNatively } from './mechanisms/kernel.ts';
import { type ProbeResult, probe, runChild } from './mechanisms/probe.ts';
import type { TaskUids } from './uids.ts';
import type { IdRange } from './users.ts';

/** Far from what people and container engines number by hand; the last is the probe's own. */
export const projectIds: IdRange = { first: 1_900_000_000, last: 1_900_065_535 };

/** Files of others may be of a project that we hold for free: then it is the next one's turn. */
const attempts = 8;
const kibOfMib = 1024;
/** Of blocks of this size a file that holds anything takes at least one: only empty ones are bound by their number. */
const kibPerFile = 4;

export interface DiskQuotaOptions {
  /** Host path of the native program. */
  readonly verifier: string;
  /** Projects, claimed for directories as uids are. */
  readonly claims: TaskUids;
  /** The host was seen to keep to such quotas. */
  works(): boolean;
}

/** Where quotas do not work here each of these does nothing. */
export class DiskQuotas {
  readonly #options: DiskQuotaOptions;

  constructor(options: DiskQuotaOptions) {
    this.#options = options;
  }

  get works(): boolean {
    return this.#options.works();
  }

  /** `directory`: an allocation's, made by the agent, that no task has begun in. `Fault('unavailable')`: nothing binds it. */
  async bound(directory: string, sizeMb: number): Promise<void> {
    if (!this.works) return;
    const kib = Math.max(1, sizeMb) * kibOfMib;
    let answer = '';
    for (let attempt = 0; attempt < attempts; attempt++) {
      const id = this.#options.claims.claim(ownerOf(directory, attempt), directory);
      answer = await this.#ask('bound', directory, String(id), String(kib), String(Math.ceil(kib / kibPerFile)));
      if (answer.startsWith('ok ')) return;
      this.#options.claims.release(id);
      if (!answer.startsWith('taken ')) break;
    }
    throw new Fault('unavailable', `what is written to ${directory} is bound by nothing: ${answer}`);
  }

  /** What another allocation left to this one counts for this one: only then can it be moved there. `from`: `<allocation>/alloc/data`. */
  async adopt(directory: string, from: string): Promise<void> {
    if (!this.works) return;
    const id = this.#held(directory);
    if (id === null) return;
    const answer = await this.#ask('adopt', dirname(directory), from, String(id));
    if (!answer.startsWith('ok ')) throw new Fault('unavailable', `${from} cannot be taken over: ${answer}`);
  }

  /** Its files are gone. */
  async release(directory: string): Promise<void> {
    const id = this.#held(directory);
    if (id === null) return;
    if (this.works) await this.#ask('free', dirname(directory), String(id));
    this.#options.claims.release(id);
  }

  #held(directory: string): number | null {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const id = this.#options.claims.held(ownerOf(directory, attempt));
      if (id !== null) return id;
    }
    return null;
  }

  async #ask(...args: readonly string[]): Promise<string> {
    const done = await runChild([this.#options.verifier, 'quota', ...args]);
    return done.stdout.trim() || done.stderr.trim() || `exit code ${done.code}`;
  }
}

function ownerOf(directory: string, attempt: number): string {
  return attempt === 0 ? directory : `${directory}#${attempt}`;
}

/** A directory is bound, and a user writes past it. `uid`: the probes' own. */
export function diskQuotaProbe(
  wanted: boolean,
  verifier: string | null,
  taskRoot: string,
  uid: number,
): Promise<ProbeResult> {
  return probe('disk_quota', async () => {
    if (!wanted) return { ok: false, evidence: 'off: client { isolation { disk_quota = false } }' };
    return tryNatively(verifier, ['quota', taskRoot, String(uid), String(projectIds.last)]);
  });
}
