/** From probe results to what can be promised. Pure; what a task then really has is checked when it is held. */
import type { IsolationRung } from '../driver/contract.ts';
import type { ProbeResult } from './mechanisms/probe.ts';

type Probes = ReadonlyMap<string, ProbeResult>;

/** What must have worked for each rung we can make, besides all of the lower ones. */
const needs: readonly { readonly rung: IsolationRung; readonly probes: readonly string[] }[] = [
  { rung: 'process', probes: ['no_new_privs', 'capabilities'] },
  { rung: 'sandbox', probes: ['runtime.bwrap', 'seccomp', 'reachable'] },
];
/** An OCI runtime makes a sandbox too, and needs no directory that others can reach. */
const otherwise: Readonly<Record<string, readonly string[]>> = {
  'runtime.bwrap': ['runtime.crun', 'runtime.runc'],
  reachable: ['runtime.crun', 'runtime.runc'],
};

export interface Obstacle {
  readonly rung: IsolationRung;
  readonly probe: string;
  readonly evidence: string;
}

/** Everything that keeps this host below `rung`. */
export function obstaclesTo(rung: IsolationRung, probes: Probes): readonly Obstacle[] {
  const found: Obstacle[] = [];
  for (const need of needs) {
    for (const name of need.probes) {
      const result = probes.get(name);
      if (result?.ok !== true) found.push({ rung: need.rung, probe: name, evidence: result?.evidence ?? 'not probed' });
    }
    if (need.rung === rung) break;
  }
  return found;
}

export function bestRung(probes: Probes): IsolationRung {
  // without both nothing is left that could be ended as one
  const killable = probes.get('cgroup.kill')?.ok === true || probes.get('namespace.pid')?.ok === true;
  if (!killable || obstaclesTo('process', probes).length > 0) return 'none';
  const lacking = obstaclesTo('sandbox', probes).filter(
    ({ probe }) => !(otherwise[probe] ?? []).some((name) => probes.get(name)?.ok === true),
  );
  return lacking.length === 0 ? 'sandbox' : 'process';
}

/** `isolation.<mechanism>` → `"verified"` or why not; for the node's attributes. */
export function isolationAttributes(probes: Probes): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...probes.values()].map((each) => [`isolation.${each.name}`, each.ok ? 'verified' : each.evidence || 'failed']),
  );
}
