import { join } from 'node:path';
import type { ExitRecord, Shim, StartRecord } from './contract.ts';

/**
 * A plain start for tests, number `at` below `base`: record directory `r<at>`, output `t<at>.stdout` and `t<at>.stderr` of at most three
 * files of a megabyte, killed by its session.
 */
export function scratchRecord(
  base: string,
  at: number,
  command: readonly string[],
  more: Partial<StartRecord> = {},
): StartRecord {
  return {
    id: `a/${at}/00000001`,
    directory: join(base, `r${at}`),
    launcher: { kind: 'direct' },
    command,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    identity: {},
    cgroups: [],
    killUnit: { kind: 'session' },
    output: {
      mode: 'rotate',
      directory: base,
      stdout: `t${at}.stdout`,
      stderr: `t${at}.stderr`,
      maxFiles: 3,
      maxBytes: 1_000_000,
    },
    ...more,
  };
}

/** How it ended; an end that nobody knows is an error here. */
export async function endOf(shim: Shim): Promise<ExitRecord> {
  const ended = await shim.wait();
  if (ended.unknown !== null) throw new Error(`${ended.unknown}: ${ended.detail}`);
  return ended;
}
