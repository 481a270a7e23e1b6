/** From probe results to what can be promised. Pure; what a task then really has is checked when it is held. */
import type { IsolationRung } from '../driver/contract.ts';
import { type OciRuntime, ociRuntimes } from './mechanisms/oci.ts';
import type { ProbeResult } from './mechanisms/probe.ts';

type Probes = ReadonlyMap<string, ProbeResult>;

/** What must have worked for each rung we can make, besides all of the lower ones. */
const needs: readonly { readonly rung: IsolationRung; readonly probes: readonly string[] }[] = [
  { rung: 'process', probes: ['no_new_privs', 'capabilities'] },
  { rung: 'sandbox', probes: ['runtime.bwrap', 'seccomp', 'reachable'] },
];
export type SandboxMaker = 'bwrap' | 'unshare' | 'crun' | 'runc';

/** A runtime makes a sandbox for root even where other users cannot pass; the others run under the task's own uid. */
const makers: readonly { readonly name: SandboxMaker; readonly probes: readonly string[] }[] = [
  { name: 'bwrap', probes: ['runtime.bwrap', 'reachable'] },
  { name: 'crun', probes: ['runtime.crun'] },
  { name: 'runc', probes: ['runtime.runc'] },
  { name: 'unshare', probes: ['runtime.unshare', 'reachable'] },
];

/**
 * What can make a sandbox here, of those allowed; the best first: bubblewrap, which is the fastest, or where a `container` is wanted (a network
 * of its own, capabilities) what can make one. `runtimes` empty: all are allowed.
 */
export function sandboxMakers(probes: Probes, runtimes: readonly string[], container = false): readonly SandboxMaker[] {
  const works = (name: string): boolean => probes.get(name)?.ok === true;
  if (!works('seccomp')) return [];
  const allowed = makers.filter(({ name }) => runtimes.length === 0 || runtimes.includes(name));
  const found = allowed.filter((each) => each.probes.every(works)).map(({ name }) => name);
  return container ? [...found.filter(isOci), ...found.filter((name) => !isOci(name))] : found;
}

export function isOci(name: SandboxMaker): name is OciRuntime {
  return (ociRuntimes as readonly string[]).includes(name);
}

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

/** The best rung of tasks that ask for no network of their own. */
export function bestRung(probes: Probes, runtimes: readonly string[] = []): IsolationRung {
  // without both nothing is left that could be ended as one
  const killable = probes.get('cgroup.kill')?.ok === true || probes.get('namespace.pid')?.ok === true;
  if (!killable || obstaclesTo('process', probes).length > 0) return 'none';
  return sandboxMakers(probes, runtimes).length > 0 ? 'sandbox' : 'process';
}

/** `isolation.<mechanism>` → `"verified"` or why not; for the node's attributes. */
export function isolationAttributes(probes: Probes): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...probes.values()].map((each) => [`isolation.${each.name}`, each.ok ? 'verified' : each.evidence || 'failed']),
  );
}

/** Every mechanism that is probed, as node attributes name them. */
export const mechanismNames: readonly string[] = [
  ...['user', 'pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup', 'time'].map((kind) => `namespace.${kind}`),
  ...['bwrap', 'unshare', 'crun', 'runc'].map((name) => `runtime.${name}`),
  ...['pids', 'memory', 'cpu', 'cpuset', 'io', 'devices', 'kill'].map((name) => `cgroup.${name}`),
  ...[
    'no_new_privs',
    'capabilities',
    'seccomp',
    'landlock',
    'mounts.read_only',
    'mounts.masked',
    'mounts.bounded',
    'disk_quota',
    'kvm',
  ],
  'reachable',
  'subordinate_ids',
];
