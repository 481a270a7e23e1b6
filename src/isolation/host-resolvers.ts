/** Whom this host asks for names. Sources: resolv.conf(5), systemd-resolved(8). */
import { kernelText } from '../lib/node/kernel-file.ts';
import type { HostResolvers } from './launch/name-files.ts';

export function hostResolvers(): HostResolvers {
  return { own: kernelText('/etc/resolv.conf'), upstream: kernelText('/run/systemd/resolve/resolv.conf') };
}
