/** slirp4netns: which addresses it gives, how it is started, and its socket, by which ports are led in. Source: slirp4netns(1). */
import { connect } from 'node:net';
import { Fault } from '../../lib/fault.ts';
import { type Block, formatAddress } from './address.ts';
import type { PublishedPort } from './lease.ts';

/** Each namespace has the same ones: nobody but its own relay sees them. */
export function addressesOf(subnet: Block) {
  const at = (offset: number): string => formatAddress(subnet.first + offset);
  return { block: `${at(0)}/24`, gateway: at(2), nameServer: at(3), address: at(100) };
}

/** `loopback`: the gateway leads to the host's. */
export function slirpCommand(
  subnet: Block,
  options: { readonly loopback: boolean; readonly socket: string; readonly network: string; readonly name: string },
): readonly string[] {
  return [
    'slirp4netns',
    ...['--configure', '--mtu=65520', `--cidr=${addressesOf(subnet).block}`, '--enable-sandbox', '--enable-seccomp'],
    ...(options.loopback ? [] : ['--disable-host-loopback']),
    ...[
      '--ready-fd',
      '3',
      '--exit-fd',
      '4',
      '--api-socket',
      options.socket,
      '--netns-type=path',
      options.network,
      options.name,
    ],
  ];
}

/** TCP and UDP, from the host's port to its own. `Fault('unavailable')`: somebody has the port, or it is not for ordinary users. */
export async function publish(socket: string, port: PublishedPort, address: string): Promise<void> {
  for (const proto of ['tcp', 'udp']) {
    const where = {
      proto,
      host_addr: port.hostIp || '0.0.0.0',
      host_port: port.port,
      guest_addr: address,
      guest_port: port.to,
    };
    const answer = await call(socket, { execute: 'add_hostfwd', arguments: where });
    if ('return' in answer) continue;
    const why = port.port < 1024 ? 'another program has it, or ports below 1024 need root' : 'another program has it';
    throw new Fault('unavailable', `port ${port.port} (${port.label}, ${proto}) of the host cannot be had: ${why}`, {
      recoverable: true,
    });
  }
}

function call(path: string, request: unknown): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.setEncoding('utf8').setTimeout(5000, () => socket.destroy(new Error('slirp4netns does not answer')));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error) => reject(new Fault('unavailable', error.message, { cause: error, recoverable: true })));
    socket.on('close', () => {
      try {
        resolve(JSON.parse(text) as Record<string, unknown>);
      } catch {
        reject(new Fault('unavailable', `slirp4netns answered ${JSON.stringify(text)}`, { recoverable: true }));
      }
    });
    socket.end(JSON.stringify(request));
  });
}
