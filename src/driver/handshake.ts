/** The first words between a plugin's host and a plugin. Pure. */
import { Fault } from '../lib/fault.ts';

/** Proves that somebody meant to start a plugin; no secret. */
export const cookie = {
  name: 'NOMAD_PLUGIN_MAGIC_COOKIE',
  value: 'e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255',
} as const;

const coreVersion = 1;
export const protocolVersion = 2;
export const apiVersion = 'v0.1.0';

export interface Handshake {
  readonly network: 'unix' | 'tcp';
  readonly address: string;
  /** Base64 of the plugin's certificate; empty: none. */
  readonly certificate: string;
}

/** `1|2|unix|/run/plugin3141592|grpc|`; `Fault('invalid')` says what is wrong with it. */
export function parseHandshake(line: string): Handshake {
  const parts = line.trim().split('|');
  const wrong = (why: string): Fault =>
    new Fault(
      'invalid',
      `the first line of the plugin is no handshake (${why}): ${JSON.stringify(line.trim().slice(0, 200))}`,
    );
  if (parts.length < 4) throw wrong('too few fields; is it a plugin?');
  const [core = '', app = '', network = '', address = '', protocol = 'netrpc', certificate = ''] = parts;
  if (core !== String(coreVersion)) throw wrong(`core protocol ${core}, expected ${coreVersion}`);
  if (app !== String(protocolVersion)) throw wrong(`protocol ${app}, expected ${protocolVersion}`);
  if (network !== 'unix' && network !== 'tcp') throw wrong(`network ${network}`);
  if (address === '') throw wrong('no address');
  if (protocol !== 'grpc') throw wrong(`wire protocol ${protocol}, only grpc is spoken`);
  return { network, address, certificate: certificate.length > 50 ? certificate : '' };
}

/** `certificate`: base64 without padding, `""`: no TLS. `multiplexed`: the host asked whether one connection can carry several. */
export function formatHandshake(socketPath: string, certificate: string, multiplexed: boolean): string {
  const fields = [
    coreVersion,
    protocolVersion,
    'unix',
    socketPath,
    'grpc',
    certificate,
    ...(multiplexed ? ['false'] : []),
  ];
  return `${fields.join('|')}\n`;
}
