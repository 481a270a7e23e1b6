/** What one allocation holds of the host's network; kept on the disk before anything of it is made, so that nothing is ever left behind. */
import { createHash } from 'node:crypto';

export interface PublishedPort {
  readonly label: string;
  /** Of the host. */
  readonly port: number;
  /** Inside. */
  readonly to: number;
  /** `""`: every address of the host. */
  readonly hostIp: string;
}

export interface NetworkLease {
  readonly version: 1;
  readonly allocId: string;
  /** What leads in: an interface pair of root's, nothing, or a program of the user's that passes connections on. */
  readonly kind: 'veth' | 'loopback' | 'slirp';
  /** Inside; empty where there is nothing but loopback. */
  readonly address: string;
  /** On the host: `"dv0a1b2c3d4e5f6"`; empty where there is none. */
  readonly interfaceName: string;
  /** The file of the namespace; an ordinary user's is below /proc of the process that holds it. */
  readonly namespacePath: string;
  /** 0: not made yet. */
  readonly namespaceInode: number;
  readonly ports: readonly PublishedPort[];
  /** A namespace does not outlive the boot it was made in. */
  readonly bootId: string;
  /** What the check from inside saw; empty before it. */
  readonly egress: string;
  /** Processes that belong to it: the holder of the namespace first, then what passes packets on; with their start times. */
  readonly processes: readonly { readonly pid: number; readonly startTime: string }[];
}

/** 15 characters, the kernel's limit. */
export function interfaceNameOf(allocId: string): string {
  const hex = allocId.replaceAll('-', '').toLowerCase();
  return `dv${/^[0-9a-f]{13}/.test(hex) ? hex.slice(0, 13) : createHash('sha256').update(allocId).digest('hex').slice(0, 13)}`;
}
