import { isIP } from 'node:net';

/** True for a host that only this machine reaches: `localhost`, `127.x.y.z`, `::1`, also in brackets as URLs have it. Other names are not looked up. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}
