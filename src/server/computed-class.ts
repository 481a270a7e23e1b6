import { createHash } from 'node:crypto';
import { compareText } from '../lib/order.ts';
import type { Node } from '../model/node.ts';

/**
 * `"v1:9341…"`: nodes that are alike in all that a job can ask for have the same class, so that what was found out about one holds for all.
 * What is a node's own (attributes and meta that begin with `unique.`) does not count.
 */
export function computedClass(node: Node): string {
  const { Datacenter, NodeClass, NodePool, Attributes, Meta, HostVolumes, Drivers } = node;
  const devices = (node.NodeResources?.Devices ?? []).map(({ Vendor, Type, Name, Attributes: has }) => [
    Vendor,
    Type,
    Name,
    has,
  ]);
  const drivers = Object.entries(Drivers ?? {}).map(([name, driver]) => [name, driver.Detected, driver.Healthy]);
  const volumes = Object.entries(HostVolumes ?? {}).map(([name, volume]) => [name, volume.ReadOnly]);
  const text = JSON.stringify([
    Datacenter,
    NodeClass,
    NodePool,
    shared(Attributes),
    shared(Meta),
    devices.map((device) => JSON.stringify(device)).sort(),
    drivers.sort(byName),
    volumes.sort(byName),
  ]);
  return `v1:${createHash('sha256').update(text).digest().readBigUInt64BE(0)}`;
}

function shared(values: { readonly [key: string]: string } | null): readonly (readonly [string, string])[] {
  return Object.entries(values ?? {})
    .filter(([key]) => !key.startsWith('unique.'))
    .sort(byName);
}

function byName(a: readonly unknown[], b: readonly unknown[]): number {
  return compareText(String(a[0]), String(b[0]));
}
