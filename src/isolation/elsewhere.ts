/** What is known of the mechanisms on systems that are not Linux: none of them is there, and nothing is tried. Pure. */
import { notOnThisSystem } from '../model/isolation-losses.ts';
import type { ProbeResult } from './mechanisms/probe.ts';
import { mechanismNames } from './rungs.ts';

export interface OtherSystem {
  /** The agent's own; -1: the system has none. */
  readonly uid: number;
  /** The outermost directory above the tasks' that other users may not enter; null: there is none. */
  readonly closed: string | null;
}

/** By name. Whether a task of another user gets to its directory rests on no mechanism of Linux. */
export function probesElsewhere(system: OtherSystem): ReadonlyMap<string, ProbeResult> {
  const absent = mechanismNames.map((name) => [name, absentElsewhere(name)] as const);
  return new Map([...absent, ['reachable', { ...absentElsewhere('reachable'), ...reachable(system) }]]);
}

export function absentElsewhere(name: string): ProbeResult {
  return { name, ok: false, errno: '', durationMs: 0, evidence: notOnThisSystem };
}

function reachable({ uid, closed }: OtherSystem): Pick<ProbeResult, 'ok' | 'evidence'> {
  if (uid !== 0) return { ok: true, evidence: "tasks have the agent's user" };
  if (closed === null) return { ok: true, evidence: 'no directory is closed to other users' };
  const evidence = `${closed} lets other users not pass: chmod o+x ${closed}, or another data_dir`;
  return { ok: false, evidence };
}
