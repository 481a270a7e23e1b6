/** Which networks this host can make for groups, by probe: as root `veth.ts`, without `user-networks.ts`. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { absentElsewhere } from '../elsewhere.ts';
import type { ProbeResult } from '../mechanisms/probe.ts';
import { probeSubordinates } from '../subordinate.ts';
import type { Block } from './address.ts';
import { type EgressPolicy, openedBy } from './egress-policy.ts';
import { LeaseStore } from './lease-store.ts';
import type { HostNetworks } from './networks.ts';
import { UserNetworks } from './user-networks.ts';
import { userProbe } from './user-probe.ts';
import { VethNetworks } from './veth.ts';
import { vethProbe } from './veth-probe.ts';

export interface OpenNetworksOptions {
  /** The client's. */
  readonly stateDirectory: string;
  readonly subnet: Block;
  readonly policy: EgressPolicy;
  /** Of this agent's API. */
  readonly agentPorts: readonly number[];
  /** Servers elsewhere: `10.0.0.1 . 4646`. */
  readonly agents: readonly string[];
  readonly bootId: string;
  readonly verifier: string | null;
}

export interface FoundNetworks {
  /** Null: networks of their own cannot be had here; leases of an earlier life are kept for when they can. */
  readonly networks: HostNetworks | null;
  readonly probes: readonly ProbeResult[];
  /** Probes anew. What did not work when the agent started comes with its next start. */
  refresh(): Promise<readonly ProbeResult[]>;
}

/** Takes about 0.2 s. */
export async function openNetworks(options: OpenNetworksOptions): Promise<FoundNetworks> {
  if (process.platform !== 'linux') {
    const probes = ['network.bridge', 'egress_policy'].map(absentElsewhere);
    return { networks: null, probes, refresh: async () => probes };
  }
  const { look, make } = await waysOf(options);
  const found = await look();
  const networks = found.ok ? make() : null;
  const probesOf = (bridge: ProbeResult): readonly ProbeResult[] => [bridge, egressProbe(options.policy, bridge)];
  return {
    networks,
    probes: probesOf(found),
    async refresh() {
      const now = await look();
      const late = networks === null && now.ok;
      return probesOf(late ? { ...now, ok: false, evidence: 'works now: start the agent again' } : now);
    },
  };
}

interface Ways {
  look(): Promise<ProbeResult>;
  make(): HostNetworks;
}

async function waysOf({ stateDirectory, ...options }: OpenNetworksOptions): Promise<Ways> {
  const directory = join(stateDirectory, 'networks');
  const { store } = await LeaseStore.open(directory);
  if (process.geteuid?.() !== 0) {
    const subordinates = (await probeSubordinates()).map !== null;
    const rootless = { ...options, subordinates, directory };
    return {
      look: () => userProbe(rootless),
      make: () => new UserNetworks({ ...rootless, verifier: options.verifier!, store }),
    };
  }
  const { policy, ...rest } = options;
  const base = { ...rest, namespaces: '/run/netns' };
  const table = `drover_${createHash('sha256').update(directory).digest('hex').slice(0, 8)}`;
  return {
    look: () => vethProbe(base),
    make: () => new VethNetworks({ ...base, store, policy, table, within: [] }),
  };
}

/** What the operator's own policy leaves of the default; the mechanism itself was tried by the probe before. */
function egressProbe(policy: EgressPolicy, bridge: ProbeResult): ProbeResult {
  const open = openedBy(policy);
  const off = open.length > 0 ? `off: the configuration opens ${open.join(', ')}` : '';
  return {
    name: 'egress_policy',
    ok: bridge.ok && off === '',
    errno: '',
    durationMs: 0,
    evidence: off || bridge.evidence,
  };
}
