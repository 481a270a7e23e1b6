import type { AllocatedResources } from '../model/allocated-resources.ts';
import type { NetworkResource } from '../model/network.ts';

export interface PortClaim {
  readonly ip: string;
  readonly port: number;
  readonly label: string;
  /** Several may have it (`ignore_collision`). */
  readonly shared: boolean;
}

const known = new WeakMap<AllocatedResources, readonly PortClaim[]>();
const none: readonly PortClaim[] = [];

/** The ports on the node's addresses that an allocation has. */
export function portClaims(resources: AllocatedResources | null): readonly PortClaim[] {
  if (resources === null) return none;
  const found = known.get(resources);
  if (found !== undefined) return found;
  const claims = readClaims(resources);
  known.set(resources, claims);
  return claims;
}

function readClaims({ Shared, Tasks }: AllocatedResources): readonly PortClaim[] {
  const claims = new Map<string, PortClaim>();
  const add = (ip: string, port: number, label: string, shared: boolean): void => {
    if (port > 0 && !claims.has(`${ip}:${port}`)) claims.set(`${ip}:${port}`, { ip, port, label, shared });
  };
  const isShared = (label: string): boolean =>
    (Shared.Networks ?? []).some((network) =>
      (network.ReservedPorts ?? []).some((port) => port.Label === label && port.IgnoreCollision),
    );
  for (const { HostIP, Value, Label } of Shared.Ports ?? []) add(HostIP, Value, Label, isShared(Label));
  for (const task of Object.values(Tasks ?? {})) for (const network of task.Networks ?? []) addNetwork(network, add);
  // The ports of the group's networks stand in Shared.Ports, each with its own address; rows of old have the networks only.
  if ((Shared.Ports ?? []).length === 0) for (const network of Shared.Networks ?? []) addNetwork(network, add);
  return claims.size === 0 ? none : [...claims.values()];
}

function addNetwork(
  network: NetworkResource,
  add: (ip: string, port: number, label: string, shared: boolean) => void,
): void {
  for (const port of [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])]) {
    add(network.IP ?? '', port.Value ?? 0, port.Label, port.IgnoreCollision ?? false);
  }
}

/** `"22,8000-8010"` → 22, 8000, …; what is no port is left out. */
export function parsePorts(text: string): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    if (match === null) continue;
    const last = Math.min(65_535, Number(match[2] ?? match[1]));
    for (let port = Number(match[1]); port <= last; port++) ports.add(port);
  }
  return ports;
}
