import type { NetworkResource, Port, PortMapping } from '../../model/network.ts';
import type { Node } from '../../model/node.ts';
import { addressesOf } from '../node-addresses.ts';
import type { NodeRoom } from '../node-room.ts';

export interface PortOffer {
  /** The network as it was asked for, with the node's address and the numbers of its ports. */
  readonly network: NetworkResource;
  readonly ports: readonly PortMapping[];
}

/** Port numbers that this offer already took, by address. */
export type Taken = Map<string, Set<number>>;

const firstDynamicPort = 20_000;
const lastDynamicPort = 32_000;

/** Static ports as asked, dynamic ones at random in the node's range (none without `random`). A text says what is in the way. */
export function offerPorts(
  ask: NetworkResource,
  room: NodeRoom,
  taken: Taken,
  random: (() => number) | undefined,
): PortOffer | string {
  const mappings: PortMapping[] = [];
  const take = (port: Port, choose: (ip: string) => number | string): Port | string => {
    const alias = port.HostNetwork || 'default';
    const address = addressesOf(room.node).get(alias);
    if (address === undefined) return `no addresses available for ${alias} network`;
    const value = choose(address.ip);
    if (typeof value === 'string') return value;
    const there = taken.get(address.ip) ?? new Set();
    taken.set(address.ip, there.add(value));
    const to = port.To === -1 ? value : (port.To ?? 0);
    mappings.push({ Label: port.Label, Value: value, To: to, HostIP: address.ip });
    return { ...port, Value: value, ...(to !== 0 && { To: to }) };
  };
  const isTaken = (ip: string, value: number): boolean =>
    room.portsOn(ip).has(value) || (taken.get(ip)?.has(value) ?? false);

  const fixed: Port[] = [];
  for (const port of ask.ReservedPorts ?? []) {
    const value = port.Value ?? 0;
    const offer = take(port, (ip) =>
      isTaken(ip, value) && !port.IgnoreCollision ? `reserved port collision ${port.Label}=${value}` : value,
    );
    if (typeof offer === 'string') return offer;
    fixed.push(offer);
  }
  const dynamic: Port[] = [];
  for (const port of random === undefined ? [] : (ask.DynamicPorts ?? [])) {
    const offer = take(port, (ip) => chooseDynamic(room.node, (value) => isTaken(ip, value), random!));
    if (typeof offer === 'string') return offer;
    dynamic.push(offer);
  }
  const ip = addressesOf(room.node).get('default')?.ip ?? '';
  const network = {
    ...ask,
    ...(ip !== '' && { IP: ip }),
    ...(fixed.length > 0 && { ReservedPorts: fixed }),
    ...(dynamic.length > 0 && { DynamicPorts: dynamic }),
  };
  return { network, ports: mappings };
}

function chooseDynamic(node: Node, isTaken: (port: number) => boolean, random: () => number): number | string {
  const first = node.NodeResources?.MinDynamicPort || firstDynamicPort;
  const last = node.NodeResources?.MaxDynamicPort || lastDynamicPort;
  const size = last - first + 1;
  const start = Math.floor(random() * size);
  for (let step = 0; step < 20; step++) {
    const port = first + (step === 0 ? start : Math.floor(random() * size));
    if (!isTaken(port)) return port;
  }
  for (let step = 0; step < size; step++) {
    const port = first + ((start + step) % size);
    if (!isTaken(port)) return port;
  }
  return 'dynamic port selection failed';
}
