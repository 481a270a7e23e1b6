/**
 * What a machine has of the network of its group. Of one of the group's own: a card that sends as the monitor would, and the ports. Of the
 * host's: the ports alone, for nothing there would keep a machine from the host's loopback, as the group's own does. Pure.
 */
import type { TaskConfig } from '../../driver/contract.ts';
import { launchNetwork } from '../../driver-kit/start-command.ts';
import { type HostResolvers, nameFiles } from '../../isolation/launch/name-files.ts';
import { Fault } from '../../lib/fault.ts';
import { forwards, guestAddress, guestGateway, insidePort, userNetwork } from '../qemu/user-network.ts';
import type { TaskOptions } from './options.ts';
import type { StartOrder } from './start-disk.ts';

export interface MachineNetwork extends Pick<StartOrder, 'card' | 'hostName' | 'files'> {
  /** Of the monitor; empty: no card. */
  readonly arguments: readonly string[];
}

export function machineNetwork(task: TaskConfig, resolvers: HostResolvers): MachineNetwork {
  const network = launchNetwork(task.network);
  // one that is nothing but a loopback has no address
  const hosts = network === null || network === 'none' ? undefined : network.hosts;
  const hostName = hosts?.hostname || task.name;
  const inside =
    hosts === undefined ? network : { path: '', egress: '', hosts: { hostname: hostName, address: guestAddress } };
  const names = nameFiles({ network: inside, dns: task.dns }, resolvers);
  const asHost = hosts !== undefined && !names.some(({ path }) => path === '/etc/resolv.conf');
  const texts = asHost ? [...names, { path: '/etc/resolv.conf', text: resolvers.own }] : names;
  const files = texts.map(({ path, text }) => ({ path, content: Buffer.from(text) }));
  const ports = ledPorts(task);
  if (hosts === undefined && ports.length === 0) return { arguments: [], card: null, hostName, files };
  // of one that may call nobody the monitor passes on no datagram, answers neither
  const [restricted, protocols] = hosts === undefined ? (['on', ['tcp']] as const) : (['off', ['tcp', 'udp']] as const);
  const led = ports.flatMap((port) => forwards(task, port, insidePort(port), protocols));
  const settings = ['ipv6=off', `restrict=${restricted}`, ...led];
  return {
    arguments: userNetwork(settings, 'virtio-net-pci,romfile='),
    card: { address: guestAddress, gateway: guestGateway },
    hostName,
    files,
  };
}

/** Those of the group that the task names; all where it names none. */
function ledPorts({ config, resources }: TaskConfig): TaskConfig['resources']['ports'] {
  const { ports: labels } = config as TaskOptions;
  for (const label of labels)
    if (!resources.ports.some((each) => each.label === label))
      throw new Fault('invalid', `ports: the group has no port ${JSON.stringify(label)}`);
  return labels.length === 0 ? resources.ports : resources.ports.filter(({ label }) => labels.includes(label));
}
