import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { addressesOf } from '../node-addresses.ts';
import type { Requirement } from './requirement.ts';

/** The node has networks of the mode the group asks for, and the host networks its ports name. */
export function networkRequirement(group: TaskGroup): Requirement | undefined {
  const network = group.Networks?.[0];
  if (network === undefined) return undefined;
  const mode = network.Mode ?? '';
  const ports = [...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])];
  const aliases = ports.flatMap((port) =>
    isDefault(port.HostNetwork) ? [] : [{ name: port.HostNetwork!, port: port.Label }],
  );
  if (isEverywhere(mode) && aliases.length === 0) return undefined;
  return {
    // Networks are no part of the computed class.
    unique: true,
    unmetBy: (node) => {
      if (!isEverywhere(mode) && !hasMode(node, mode)) {
        const why = node.Attributes?.[`isolation.network.${mode}`];
        // Nomad's text, and where the node knows more, that
        return why === undefined || why === 'verified' ? 'missing network' : `missing network "${mode}": ${why}`;
      }
      const missing = aliases.find(({ name }) => !addressesOf(node).has(name));
      return missing === undefined ? undefined : `missing host network "${missing.name}" for port "${missing.port}"`;
    },
  };
}

const isDefault = (alias: string | undefined): boolean => alias === undefined || alias === '' || alias === 'default';

const isEverywhere = (mode: string): boolean => mode === '' || mode === 'host' || mode === 'none';

function hasMode(node: Node, mode: string): boolean {
  const networks = [
    ...(node.NodeResources?.Networks ?? []),
    ...((node.NodeResources?.NodeNetworks ?? []) as { Mode?: string }[]),
  ];
  return networks.some((network) => network.Mode === mode);
}
