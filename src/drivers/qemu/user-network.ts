/**
 * A network that the emulator makes up for its guest: what the guest sends, the emulator's own process sends on, with that one's rights; what
 * comes in comes by ports that the process listens on. Source: qemu(1), "-netdev user".
 */
import type { TaskConfig } from '../../driver/contract.ts';

type Port = TaskConfig['resources']['ports'][number];

/** The addresses in such a network, where nobody chose others. The gateway stands for the process's own loopback. */
export const guestAddress = '10.0.2.15';
export const guestGateway = '10.0.2.2';

/**
 * What leads from a port of the task to one of its guest. In a network of the group's own it listens where the port leads to, on every
 * address; on the host's, at the port's.
 */
export function forwards(
  task: Pick<TaskConfig, 'network'>,
  port: Port,
  guestPort: number,
  protocols: readonly ('tcp' | 'udp')[] = ['tcp', 'udp'],
): readonly string[] {
  const at = hasOwnNetwork(task) ? `:${insidePort(port)}` : `${port.hostIp}:${port.value}`;
  return protocols.map((protocol) => `hostfwd=${protocol}:${at}-:${guestPort}`);
}

/** As tasks are told in NOMAD_PORT_<label>. */
export function insidePort({ to, value }: Port): number {
  return to > 0 ? to : value;
}

function hasOwnNetwork({ network }: Pick<TaskConfig, 'network'>): boolean {
  return network !== null && network.mode !== 'host';
}

/** `settings`: of the network, said twice where two ports lead to the same place. `device`: the guest's card. */
export function userNetwork(settings: readonly string[], device: string): readonly string[] {
  const network = ['user', 'id=user.0', ...new Set(settings)];
  return ['-netdev', network.join(','), '-device', `${device},netdev=user.0`];
}
