/** Where a container engine listens. */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { Fault, messageOf } from '../../lib/fault.ts';

export interface Endpoint {
  /** As the operator wrote it. */
  readonly address: string;
  /** On this host: its processes are ours to see. */
  readonly local: boolean;
  readonly tls: boolean;
  /** For node:http. */
  readonly connect: Pick<RequestOptions, 'socketPath' | 'host' | 'port' | 'cert' | 'key' | 'ca'>;
}

/** Paths of PEM files; all empty: no TLS. */
export interface EndpointTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** `"unix:///run/docker.sock"`, `"/run/docker.sock"`, `"tcp://10.0.0.1:2376"`. `Fault('invalid')`: anything else, or an unreadable file. */
export function parseEndpoint(address: string, tls: EndpointTls | null = null): Endpoint {
  const socketPath = address.startsWith('/') ? address : /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  if (socketPath !== undefined) return { address, local: true, tls: false, connect: { socketPath } };
  const match = /^(?:tcp|https?):\/\/([^/:]+|\[[^\]]+\])(?::(\d{1,5}))?\/?$/.exec(address);
  if (match === null)
    throw new Fault('invalid', `endpoint ${JSON.stringify(address)} is no "unix:///path" and no "tcp://host:port"`);
  const secure = address.startsWith('https:') || (tls !== null && `${tls.cert}${tls.key}${tls.ca}` !== '');
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  const pem = (name: keyof EndpointTls): Partial<Record<keyof EndpointTls, Buffer>> =>
    tls === null || tls[name] === '' ? {} : { [name]: readPem(name, tls[name]) };
  return {
    address,
    local: false,
    tls: secure,
    connect: { host, port: Number(match[2] ?? (secure ? 2376 : 2375)), ...pem('cert'), ...pem('key'), ...pem('ca') },
  };
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Fault('invalid', `tls.${name}: ${messageOf(error)}`, { cause: error });
  }
}
