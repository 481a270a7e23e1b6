/** Who can be reached from inside a namespace: tried by the verifier, which joins it and connects. */
import { runChild } from '../mechanisms/probe.ts';

export interface Reach {
  readonly target: string;
  /** Something took the connection, or answered that nobody listens: packets get there. */
  readonly reached: boolean;
  /** For people: `"connected"`, `"EHOSTUNREACH"`, … */
  readonly seen: string;
}

const names: Readonly<Record<number, string>> = {
  0: 'connected',
  13: 'EACCES',
  101: 'ENETUNREACH',
  110: 'no answer',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
};
const getsThere = new Set([0, 111, 104]);

/** `enter`: the command that leads into the namespace. Null: the program could not be run. */
export async function reachFrom(
  enter: readonly string[],
  verifier: string,
  targets: readonly string[],
): Promise<readonly Reach[] | null> {
  const done = await runChild([...enter, verifier, 'reach', ...targets]);
  if (done.code !== 0) return null;
  const seen = new Map(done.stdout.split('\n').map((line) => line.split(' ', 2) as [string, string]));
  return targets.map((target) => {
    const errno = Number(seen.get(target) ?? Number.NaN);
    return { target, reached: getsThere.has(errno), seen: names[errno] ?? `errno ${errno}` };
  });
}
