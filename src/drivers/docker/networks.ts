/** Ports and networks of a container. Pure. */
import type { NetworkOverride, TaskConfig } from '../../driver/contract.ts';
import type { ContainerState } from '../../driver-kit/container-engine/engine-answers.ts';
import { Fault } from '../../lib/fault.ts';
import type { TaskOptions } from './options.ts';

/** `{ "8080/tcp": [{ HostIp, HostPort }] }`, tcp and udp alike. */
export interface PublishedPorts {
  readonly bindings: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>;
  /** Port label → port inside. */
  readonly map: Readonly<Record<string, number>>;
}

/** `Fault('invalid')`: a label that no port of the task has. */
export function publishedPorts(task: TaskConfig, options: TaskOptions): PublishedPorts {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  const map: Record<string, number> = {};
  const labels = [...options.ports, ...Object.keys(options.port_map)];
  for (const label of new Set(labels)) {
    const port = task.resources.ports.find((each) => each.label === label);
    if (port === undefined)
      throw new Fault('invalid', `port ${JSON.stringify(label)} is not among the task's networks`);
    const inside = options.port_map[label] ?? (port.to > 0 ? port.to : port.value);
    map[label] = inside;
    for (const protocol of ['tcp', 'udp']) {
      const key = `${inside}/${protocol}`;
      bindings[key] = [...(bindings[key] ?? []), { HostIp: port.hostIp, HostPort: String(port.value) }];
    }
  }
  return { bindings, map };
}

/** The engine's name for the network: the group's own where it has one, none where its group has none, else what the job asks for. */
export function networkMode(task: TaskConfig, options: TaskOptions, shared: string | null): string {
  if (shared !== null) return shared;
  return task.network?.mode === 'none' ? 'none' : options.network_mode || 'default';
}

/** Aliases and addresses need a network of the operator's making. */
export function endpointsOf(mode: string, options: TaskOptions): Readonly<Record<string, unknown>> {
  const { network_aliases: aliases, ipv4_address: ipv4, ipv6_address: ipv6 } = options;
  const addresses = { ...(ipv4 === '' ? {} : { IPv4Address: ipv4 }), ...(ipv6 === '' ? {} : { IPv6Address: ipv6 }) };
  if (aliases.length === 0 && Object.keys(addresses).length === 0) return {};
  if (['default', 'bridge', 'host', 'none'].includes(mode) || mode.startsWith('container:') || mode.startsWith('ns:'))
    throw new Fault(
      'invalid',
      `network_aliases and addresses need a network of their own, not ${JSON.stringify(mode)}`,
    );
  const mac = options.mac_address === '' ? {} : { MacAddress: options.mac_address };
  return { EndpointsConfig: { [mode]: { Aliases: aliases, IPAMConfig: addresses, ...mac } } };
}

/** Where services find the container; null: at the host's address. `Fault('invalid')`: it has no address of the kind that is asked for. */
export function driverNetwork(
  state: ContainerState,
  map: PublishedPorts['map'],
  options: TaskOptions,
): NetworkOverride | null {
  const entries = Object.entries(state.networks);
  const [name, found] = entries.find(([, each]) => each.ip !== '' || each.ipv6 !== '') ?? ['', null];
  if (found === null) return null;
  if (options.advertise_ipv6_address && found.ipv6 === '')
    throw new Fault('invalid', 'advertise_ipv6_address: the container has no address of IPv6');
  const autoAdvertise = !['bridge', 'default', 'host', 'nat'].includes(name);
  return { ip: options.advertise_ipv6_address ? found.ipv6 : found.ip, portMap: map, autoAdvertise };
}
