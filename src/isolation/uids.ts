/**
 * One host uid per task (allocation and task name; restarts keep it, because the task's files belong to it). A claim is a file named
 * after the uid; it is free again when the task's directory is gone, so a uid is never given on while its files are there. Where another
 * allocation takes files over, it takes over the claims: a file named after the new owner then says which uid that is.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { Fault } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { type IdRange, inRanges } from './users.ts';

/** Above what distributions, directory services and systemd hand out, below 2^31; /etc/subuid does not reach it by default. */
export const defaultTaskUids: IdRange = { first: 1_900_000_000, last: 1_900_065_535 };

/** The host uid of root inside a task's user namespace: one of its own too, in a range beside the first. */
export function rootUidOf(uid: number): number {
  return uid + 100_000;
}

interface Claim {
  readonly owner: string;
  readonly directory: string;
  /** Of what was taken over: which it is. */
  readonly uid?: number;
  /** Those it was claimed for before, where files of it are left. */
  readonly before?: readonly string[];
}

function hasFiles({ directory, before = [] }: Claim): boolean {
  return [directory, ...before].some((path) => existsSync(path));
}

/** So many claims may be left of tasks that are gone. */
const claimsPerSweep = 64;

export class TaskUids {
  readonly range: IdRange;
  readonly #directory: string;
  readonly #others: readonly IdRange[];
  #untilSweep = 0;

  /** `others`: ids that somebody else was given (/etc/subuid); none of them is claimed anew. */
  constructor(directory: string, range: IdRange = defaultTaskUids, others: readonly IdRange[] = []) {
    this.#directory = directory;
    this.range = range;
    this.#others = others;
  }

  /** `owner`: `<allocation>/<task>`; `directory`: the task's. `Fault('unavailable')`: all are taken. */
  claim(owner: string, directory: string): number {
    this.#sweep();
    const inherited = this.#inherited(owner);
    if (inherited !== null) return inherited;
    for (const uid of this.#places(owner, 4096))
      if (this.#isFree(uid, owner) && this.#take(uid, { owner, directory })) return uid;
    throw new Fault('unavailable', 'no uid is left for the task', { recoverable: true });
  }

  /** Null: this owner claimed none, or one so far off that it is not looked for. */
  held(owner: string): number | null {
    const inherited = this.#inherited(owner);
    if (inherited !== null) return inherited;
    for (const uid of this.#places(owner, 64)) if (readClaim(this.#fileOf(uid))?.owner === owner) return uid;
    return null;
  }

  /**
   * What tasks of the allocation in `from` claimed is now claimed by tasks of the same names of that in `to`: it has their files. Both are
   * directories, named after the allocations. Done again it changes nothing.
   */
  pass(from: string, to: string): void {
    makeDirectories(this.#directory, 0o700);
    for (const name of readdirSync(this.#directory).filter((each) => /^\d+$/.test(each))) {
      const path = join(this.#directory, name);
      const held = readClaim(path);
      const [allocation, task = ''] = held?.owner.split('/') ?? [];
      if (held === null || allocation !== basename(from)) continue;
      const own = join(to, task);
      const before = [held.directory, ...(held.before ?? [])].filter((each) => existsSync(each));
      const claim: Claim = { owner: `${basename(to)}/${task}`, directory: existsSync(own) ? own : to, before };
      replace(this.#pathFor(claim.owner), { ...claim, uid: Number(name) });
      replace(path, claim);
    }
  }

  #inherited(owner: string): number | null {
    const { uid } = readClaim(this.#pathFor(owner)) ?? {};
    return uid !== undefined && readClaim(this.#fileOf(uid))?.owner === owner ? uid : null;
  }

  #pathFor(owner: string): string {
    return join(this.#directory, `of-${createHash('sha256').update(owner).digest('hex').slice(0, 32)}`);
  }

  /** Sooner than when its directory is found to be gone. */
  release(uid: number): void {
    rmSync(this.#fileOf(uid), { force: true });
  }

  /** As they are asked for: as a rule the first is free. */
  *#places(owner: string, count: number): Iterable<number> {
    const size = this.range.last - this.range.first + 1;
    const start = createHash('sha256').update(owner).digest().readUInt32BE(0) % size;
    for (let step = 0; step < Math.min(size, count); step++) yield this.range.first + ((start + step) % size);
  }

  /** What a task already has it keeps: its files are of that uid. */
  #isFree(uid: number, owner: string): boolean {
    if (this.#others.length === 0) return true;
    const taken = [uid, rootUidOf(uid)].some((id) => inRanges(this.#others, id));
    return !taken || readClaim(this.#fileOf(uid))?.owner === owner;
  }

  #fileOf(uid: number): string {
    return join(this.#directory, String(uid));
  }

  #sweep(): void {
    if (--this.#untilSweep > 0) return;
    this.#untilSweep = claimsPerSweep;
    makeDirectories(this.#directory, 0o700);
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      const claim = readClaim(path);
      if (claim !== null && !hasFiles(claim)) rmSync(path, { force: true });
    }
  }

  #take(uid: number, claim: Claim): boolean {
    const path = this.#fileOf(uid);
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        writeFileSync(path, JSON.stringify(claim), { flag: 'wx', mode: 0o600 });
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const held = readClaim(path);
      if (held?.owner === claim.owner) return true;
      if (held !== null && hasFiles(held)) return false;
      rmSync(path, { force: true });
    }
    return false;
  }
}

/** To the task's user alone. By descriptor, without following a link: the task's directory may be the task's to change. */
export function giveDirectory(path: string, uid: number): void {
  let directory: number;
  try {
    directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return;
  }
  try {
    fchownSync(directory, uid, uid);
    fchmodSync(directory, 0o700);
  } finally {
    closeSync(directory);
  }
}

/** Whole or not at all: it may be read after a crash. */
function replace(path: string, claim: Claim): void {
  writeFileSync(`${path}.new`, JSON.stringify(claim), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readClaim(path: string): Claim | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Claim>;
    return typeof value.owner === 'string' && typeof value.directory === 'string' ? (value as Claim) : null;
  } catch {
    return null;
  }
}
