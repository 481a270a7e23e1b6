/** The contract of what makes networks for groups of tasks; `veth.ts` (as root) and `user-networks.ts` carry it out. */
import type { PublishedPort } from './lease.ts';

export interface NetworkRequest {
  readonly allocId: string;
  /** `loopback`: nothing but that. */
  readonly kind: 'bridge' | 'loopback';
  readonly ports: readonly PublishedPort[];
}

export interface GroupNetwork {
  /** A file that stands for the namespace, to be joined. */
  readonly path: string;
  /** Inside: `"eth0"`; empty where there is nothing but loopback. */
  readonly interfaceName: string;
  readonly address: string;
  /** What the check from inside saw of the egress policy: `"verified: …"` or `"off: …"`. */
  readonly egress: string;
}

export interface HostNetworks {
  /**
   * Makes an allocation's network, finds it again, or mends what was lost of it. One in which no process is left may be made anew. What fails
   * leaves nothing behind.
   */
  ensure(request: NetworkRequest): Promise<GroupNetwork>;
  /** What a former life of the agent made, without looking whether all of it is still there. */
  find(allocId: string): GroupNetwork | null;
  /** Resolves when nothing is left of it; also where nothing was. */
  release(allocId: string): Promise<void>;
  /** Releases what no allocation of `known` has; resolves with their ids. */
  sweep(known: ReadonlySet<string>): Promise<readonly string[]>;
  /** Looks whether the host still has what it should, and puts it back. One clause for each thing that was put back. */
  mend(): Promise<readonly string[]>;
}
