/**
 * Who a task runs as. The one place that turns names into numbers: every path that starts a process takes uid, gid *and* groups from
 * here. Reads the host's files only; users known through a directory service have to be given by number.
 */
import { statSync } from 'node:fs';
import { Fault } from '../lib/fault.ts';
import { kernelText } from '../lib/node/kernel-file.ts';

export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the primary one included. */
  readonly groups: readonly number[];
  readonly home: string;
}

export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Read again when they have changed. */
function readUserFiles(): UserFiles {
  return { passwd: passwd.text(), group: group.text() };
}

class ChangingFile {
  readonly #path: string;
  #seen = '';
  #text = '';

  constructor(path: string) {
    this.#path = path;
  }

  text(): string {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    const seen = stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
    if (seen !== this.#seen) {
      this.#text = stats === undefined ? '' : kernelText(this.#path);
      this.#seen = seen;
    }
    return this.#text;
  }
}

const passwd = new ChangingFile('/etc/passwd');
const group = new ChangingFile('/etc/group');

const numeric = /^\d{1,10}$/;

/** A name, a uid, or either with `:group`. A bare uid nobody has stands for itself. `Fault('invalid')`: an unknown name. */
export function findUser(files: UserFiles, wanted: string): HostUser {
  const [who = '', group] = wanted.split(':', 2);
  const user = byName(files, who) ?? (numeric.test(who) ? bare(Number(who)) : undefined);
  if (user === undefined) throw new Fault('invalid', `user: unknown user ${who}`);
  if (group === undefined) return user;
  const gid = findGroup(files, group);
  return { ...user, gid, groups: [...new Set([gid, ...user.groups])] };
}

/** `"nobody"`, `"65534"` or `"65534:65534"` → ids and groups by the host's files. Faults name a user that there is not. */
export async function lookUpUser(wanted: string): Promise<HostUser> {
  return findUser(readUserFiles(), wanted);
}

class Rows {
  #text = '';
  #rows: readonly (readonly string[])[] = [];

  /** Of the same text (each start asks three times) they are split once. */
  of(text: string): readonly (readonly string[])[] {
    if (text !== this.#text) {
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      this.#rows = lines.map((line) => line.split(':'));
      this.#text = text;
    }
    return this.#rows;
  }
}

const users = new Rows();
const groups = new Rows();

function byName(files: UserFiles, who: string): HostUser | undefined {
  const row = users
    .of(files.passwd)
    .find(([name, , uid]) => name !== '' && (name === who || (numeric.test(who) && uid === who)));
  if (row === undefined) return undefined;
  const [name = '', , uid = '', gid = '', , home = '/'] = row;
  if (!isId(uid) || !isId(gid)) return undefined;
  const memberOf = groups
    .of(files.group)
    .filter(([, , id = '', members = '']) => isId(id) && members.split(',').includes(name))
    .map(([, , id]) => Number(id));
  return {
    name,
    uid: Number(uid),
    gid: Number(gid),
    groups: [...new Set([Number(gid), ...memberOf])],
    home: home || '/',
  };
}

function bare(uid: number): HostUser | undefined {
  if (!isId(String(uid))) return undefined;
  return { name: String(uid), uid, gid: uid, groups: [uid], home: '/' };
}

function findGroup(files: UserFiles, wanted: string): number {
  const row = groups.of(files.group).find(([name, , id]) => name === wanted || id === wanted);
  const id = row?.[2] ?? (numeric.test(wanted) ? wanted : '');
  if (!isId(id)) throw new Fault('invalid', `group: unknown group ${wanted}`);
  return Number(id);
}

/** 2^32 − 1 means "leave as it is" to the kernel, so it is no id. */
function isId(text: string): boolean {
  return numeric.test(text) && Number(text) < 0xffff_ffff;
}

export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** `"0,10-20"` → ranges. `Fault('invalid')` names the part that is no range. */
export function parseIdRanges(text: string): readonly IdRange[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [first = '', last = first] = part.split('-', 2);
      if (!isId(first) || !isId(last) || Number(first) > Number(last)) {
        throw new Fault('invalid', `${JSON.stringify(part)} is no range of ids such as "0" or "10-20"`);
      }
      return { first: Number(first), last: Number(last) };
    });
}

/** Both ends of a range belong to it. */
export function inRanges(ranges: readonly IdRange[], id: number): boolean {
  return ranges.some(({ first, last }) => id >= first && id <= last);
}
