import type { Node } from '../model/node.ts';

/** Where ports of a host network are: its first address, as Nomad picks it. */
export interface HostAddress {
  readonly ip: string;
  /** `"22,8000-8010"`: never handed out on this address. */
  readonly reservedPorts: string;
}

interface NodeNetwork {
  readonly Mode?: string;
  readonly Addresses?:
    | readonly { readonly Alias: string; readonly Address: string; readonly ReservedPorts?: string }[]
    | null;
}

const known = new WeakMap<Node, ReadonlyMap<string, HostAddress>>();

/** Alias of a host network (`default`, or a `host_network` of the client's configuration) → its address on the node. */
export function addressesOf(node: Node): ReadonlyMap<string, HostAddress> {
  const found = known.get(node);
  if (found !== undefined) return found;
  const addresses = readAddresses(node);
  known.set(node, addresses);
  return addresses;
}

function readAddresses(node: Node): ReadonlyMap<string, HostAddress> {
  const addresses = new Map<string, HostAddress>();
  for (const network of (node.NodeResources?.NodeNetworks ?? []) as readonly NodeNetwork[]) {
    for (const { Alias, Address, ReservedPorts } of network.Addresses ?? []) {
      if (!addresses.has(Alias)) addresses.set(Alias, { ip: Address, reservedPorts: ReservedPorts ?? '' });
    }
  }
  for (const network of node.NodeResources?.Networks ?? []) {
    if (!addresses.has('default') && network.IP) addresses.set('default', { ip: network.IP, reservedPorts: '' });
  }
  for (const [alias, { CIDR, ReservedPorts }] of Object.entries(node.HostNetworks ?? {})) {
    const ip = CIDR.split('/')[0] ?? '';
    if (!addresses.has(alias) && ip !== '') addresses.set(alias, { ip, reservedPorts: ReservedPorts });
  }
  return addresses;
}
