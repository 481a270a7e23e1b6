/** The interface whose addresses tasks get on the host's network. */
import { readFile } from 'node:fs/promises';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

export interface NetworkFacts {
  readonly device: string;
  readonly mac: string;
  /** IPv4 first. */
  readonly addresses: readonly { readonly ip: string; readonly cidr: string; readonly family: 'ipv4' | 'ipv6' }[];
  /** MBit/s. */
  readonly speed: number;
}

/**
 * `wanted` empty: the interface of the default route, else the loopback; in dev mode the loopback at once, as tasks there are not
 * meant for others. Null: there is none of that name.
 */
export async function networkFacts(wanted: string, devMode: boolean): Promise<NetworkFacts | null> {
  const interfaces = networkInterfaces();
  const name = wanted || (devMode ? '' : await defaultRouteInterface()) || loopback(interfaces);
  const found = interfaces[name];
  if (found === undefined || found.length === 0) return null;
  const addresses = found
    .filter((address) => !address.address.startsWith('fe80:'))
    .map((address) => ({
      ip: address.address,
      // a host route, as Nomad announces an address
      cidr: `${address.address}/${address.family === 'IPv4' ? 32 : 128}`,
      family: address.family === 'IPv4' ? ('ipv4' as const) : ('ipv6' as const),
    }))
    .sort((a, b) => a.family.localeCompare(b.family));
  const mac = found[0]!.mac;
  return { device: name, mac: mac === '00:00:00:00:00:00' ? '' : mac, addresses, speed: await linkSpeed(name) };
}

async function defaultRouteInterface(): Promise<string> {
  const table = await readFile('/proc/net/route', 'utf8').catch(() => '');
  for (const line of table.split('\n').slice(1)) {
    const [name = '', destination, , flags = '0'] = line.split('\t');
    // destination 0.0.0.0, flag RTF_UP
    if (destination === '00000000' && (Number.parseInt(flags, 16) & 1) === 1) return name;
  }
  return '';
}

function loopback(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string {
  return Object.keys(interfaces).find((name) => interfaces[name]?.some((address) => address.internal)) ?? '';
}

async function linkSpeed(name: string): Promise<number> {
  const text = await readFile(`/sys/class/net/${name}/speed`, 'utf8').catch(() => '');
  const speed = Number(text);
  return Number.isFinite(speed) && speed > 0 ? speed : 1000;
}
