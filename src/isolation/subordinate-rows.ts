/** Rows of /etc/subuid and /etc/subgid, `name:first:count`, and the command that gives a user the ids that its tasks need. Source: subuid(5). */

import type { IdRange } from './users.ts';

interface Row {
  readonly user: string;
  readonly first: number;
  readonly count: number;
}

export interface SubordinateFacts {
  /** The agent's user; empty: it has no name. */
  readonly user: string;
  readonly uid: number;
  /** The agent's; newuidmap maps for a user of another primary group nothing. */
  readonly gid: number;
  /** Of /etc/subuid and /etc/subgid. */
  readonly uids: string;
  readonly gids: string;
  /** newuidmap and newgidmap are installed. */
  readonly hasProgram: boolean;
}

/** As usermod's own default, and as many as programs that share them expect. */
const lowest = 100_000;
const wanted = 65_536;

function parseRows(text: string): readonly Row[] {
  return [...text.matchAll(/^([^:#\s]+):(\d+):(\d+)\s*$/gm)].map(([, user = '', first, count]) => ({
    user,
    first: Number(first),
    count: Number(count),
  }));
}

/** Every range that is given to somebody. */
export function givenRanges(text: string): readonly IdRange[] {
  return parseRows(text).map(({ first, count }) => ({ first, last: first + count - 1 }));
}

/** The lowest range that nobody has. What the user had goes: only the first row of a user is mapped, and one that is too small stays in the way. */
export function giveIdsCommand({ user, uid, gid, uids, gids }: SubordinateFacts): string {
  const rows = { uids: parseRows(uids), gids: parseRows(gids) };
  const first = firstFree([...rows.uids, ...rows.gids]);
  const range = `${first}-${first + wanted - 1}`;
  const own = new Set(
    [...rows.uids, ...rows.gids].map((row) => row.user).filter((each) => [user, `${uid}`].includes(each)),
  );
  const name = user === '' ? 'drover' : user;
  return [
    ...(user === ''
      ? [
          `sh -c 'getent group ${gid} >/dev/null || groupadd --gid ${gid} ${name}'`,
          `useradd --uid ${uid} --gid ${gid} --no-create-home ${name}`,
        ]
      : []),
    // usermod takes none from a user that has processes, and this one asks
    ...(own.size === 0
      ? []
      : [`sed -i ${[...own].map((each) => `-e '/^${each}:/d'`).join(' ')} /etc/subuid /etc/subgid`]),
    `usermod --add-subuids ${range} --add-subgids ${range} ${name}`,
  ].join(' && ');
}

function firstFree(rows: readonly Row[]): number {
  let first = lowest;
  for (const row of [...rows].sort((a, b) => a.first - b.first)) {
    if (row.first >= first + wanted) break;
    first = Math.max(first, row.first + row.count);
  }
  return first;
}
