/**
 * Networks without root: a user and network namespace per allocation, held by a process; slirp4netns passes packets between it and the host;
 * rules inside the namespace say who may be reached. A task is in a user namespace below, so that it has no right to change them.
 *
 *   lease on the disk ─▶ holder ─▶ loopback, rules ─▶ relay ─▶ ports ─▶ checked from inside ─▶ lease complete
 *   release: relay ─▶ holder ─▶ files ─▶ lease
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import { kernelLink } from '../../lib/node/kernel-file.ts';
import { runChild } from '../mechanisms/probe.ts';
import { type Block, formatAddress, sizeOf } from './address.ts';
import { type EgressPolicy, openedBy, probeTargets } from './egress-policy.ts';
import type { NetworkLease } from './lease.ts';
import type { LeaseStore } from './lease-store.ts';
import type { GroupNetwork, HostNetworks, NetworkRequest } from './networks.ts';
import { reachFrom } from './reach.ts';
import { userRuleset } from './ruleset.ts';
import { addressesOf, publish, slirpCommand } from './slirp.ts';
import { end, type Held, hold, lives, mark, networkFile, startBeside, startTimeOf } from './user-namespace.ts';

export interface UserNetworksOptions {
  readonly store: LeaseStore;
  /** For sockets and FIFOs; no other agent's. Its path must be short: a socket's may have 107 bytes. */
  readonly directory: string;
  readonly subnet: Block;
  readonly policy: EgressPolicy;
  readonly agentPorts: readonly number[];
  readonly agents: readonly string[];
  readonly bootId: string;
  readonly verifier: string;
  /** The namespaces hold subordinate ids too, for tasks. */
  readonly subordinates: boolean;
}

const inside = 'eth0';

export class UserNetworks implements HostNetworks {
  readonly #options: UserNetworksOptions;
  #queue: Promise<unknown> = Promise.resolve();
  #ruledFor = '';

  constructor(options: UserNetworksOptions) {
    this.#options = options;
  }

  find(allocId: string): GroupNetwork | null {
    const lease = this.#options.store.get(allocId);
    return lease === undefined || lease.namespaceInode === 0 ? null : networkOf(lease);
  }

  ensure(request: NetworkRequest): Promise<GroupNetwork> {
    return this.#alone(async () => {
      const known = this.#options.store.get(request.allocId);
      const found = known === undefined ? null : await this.#findAgain(known);
      if (found !== null) return networkOf(await this.#mended(found));
      if (known !== undefined) await this.#remove(known);
      return this.#make(request);
    });
  }

  release(allocId: string): Promise<void> {
    return this.#alone(async () => {
      const lease = this.#options.store.get(allocId);
      if (lease !== undefined) await this.#remove(lease);
    });
  }

  async sweep(known: ReadonlySet<string>): Promise<readonly string[]> {
    const lost = this.#options.store.all().filter(({ allocId }) => !known.has(allocId));
    for (const { allocId } of lost) await this.release(allocId);
    await this.#alone(() => this.#endUnnoted());
    return lost.map(({ allocId }) => allocId);
  }

  mend(): Promise<readonly string[]> {
    return this.#alone(async () => {
      const mended: string[] = [];
      const moved = this.#ruledFor !== '' && this.#ruledFor !== hostAddresses().join(' ');
      for (const lease of this.#options.store.all()) {
        if (lease.kind !== 'slirp' || lease.namespaceInode === 0) continue;
        const [holder, relay] = lease.processes;
        if (lives(holder) && lives(relay) && !moved) continue;
        const found = await this.#findAgain(lease);
        if (found === null) continue;
        await this.#mended(found);
        if (!lives(holder)) mended.push(`the holder of the network of allocation ${lease.allocId} was gone`);
        if (!lives(relay)) mended.push(`what passes packets on for allocation ${lease.allocId} was gone`);
      }
      return mended;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #make(request: NetworkRequest): Promise<GroupNetwork> {
    const { store, bootId, directory, subnet, verifier, subordinates } = this.#options;
    const apart = request.kind === 'loopback';
    const lease: NetworkLease = {
      version: 1,
      allocId: request.allocId,
      kind: apart ? 'loopback' : 'slirp',
      address: apart ? '' : addressesOf(subnet).address,
      interfaceName: '',
      namespacePath: '',
      namespaceInode: 0,
      ports: request.ports,
      bootId,
      egress: '',
      processes: [],
    };
    makeDirectories(directory, 0o700);
    await store.save(lease);
    let held = lease;
    try {
      const holder = await hold(this.#owner(lease.allocId), this.#fifo(lease), verifier, null, subordinates);
      held = { ...lease, processes: [holder], namespacePath: networkFile(holder) };
      await this.#inside(holder, [
        'sh',
        '-c',
        'ip link set lo up && echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start',
      ]);
      const complete = await this.#mended({ ...held, namespaceInode: inodeOf(holder) });
      return networkOf(complete);
    } catch (error) {
      await this.#remove(held).catch(() => undefined);
      throw error;
    }
  }

  /** The namespace is there while its holder lives, or a task in it does: then it is held anew. */
  async #findAgain(lease: NetworkLease): Promise<NetworkLease | null> {
    const { bootId, verifier, subordinates } = this.#options;
    const [holder, ...others] = lease.processes;
    if (lease.bootId !== bootId || lease.namespaceInode === 0) return null;
    if (lives(holder)) return lease;
    const pid = await processIn(lease.namespaceInode);
    if (pid === null) return null;
    // it ended with the FIFO that its holder had open, or is about to
    for (const each of others) await end(each);
    const next = await hold(this.#owner(lease.allocId), this.#fifo(lease), verifier, pid, subordinates);
    return { ...lease, processes: [next], namespacePath: networkFile(next) };
  }

  /** Rules before packets; ports last. */
  async #mended(lease: NetworkLease): Promise<NetworkLease> {
    const [holder, relay] = lease.processes;
    if (lease.kind !== 'slirp' || holder === undefined) {
      const complete = { ...lease, egress: 'verified: nothing but loopback' };
      await this.#options.store.save(complete);
      return complete;
    }
    await this.#rule(holder);
    const processes = [holder, lives(relay) ? relay : await this.#relay(lease, holder)];
    const complete = { ...lease, processes, egress: await this.#checkEgress(networkFile(holder)) };
    await this.#options.store.save(complete);
    return complete;
  }

  async #rule(holder: Held): Promise<void> {
    const { policy, agents, agentPorts, subnet } = this.#options;
    const { gateway, nameServer } = addressesOf(subnet);
    const addresses = hostAddresses();
    const text = userRuleset({ policy, agents, agentPorts, subnet, gateway, nameServer, hostAddresses: addresses });
    await this.#inside(holder, ['nft', '-f', '-'], text);
    this.#ruledFor = addresses.join(' ');
  }

  async #relay(lease: NetworkLease, holder: Held): Promise<Held> {
    const { policy, subnet, verifier } = this.#options;
    const socket = this.#file(lease, 'socket');
    await rm(socket, { force: true });
    const loopback = !policy.denied.has('loopback') && !policy.denied.has('host');
    const command = slirpCommand(subnet, { loopback, socket, network: networkFile(holder), name: inside });
    const relay = await startBeside(command, this.#owner(lease.allocId), holder, this.#fifo(lease), verifier);
    try {
      for (const port of lease.ports) await publish(socket, port, lease.address);
    } catch (error) {
      await end(relay);
      throw error;
    }
    return relay;
  }

  async #checkEgress(network: string): Promise<string> {
    const { policy, verifier, agentPorts, subnet } = this.#options;
    const [agent = ''] = hostAddresses();
    const targets = probeTargets(policy, {
      agent,
      agentPort: agent === '' ? 0 : (agentPorts[0] ?? 0),
      neighbour: formatAddress(subnet.first + sizeOf(subnet) - 2),
    });
    const gateway = policy.denied.has('loopback') ? [`${addressesOf(subnet).gateway}:${agentPorts[0] ?? 9}`] : [];
    const seen = await reachFrom([verifier, 'enter', network], verifier, [...targets, ...gateway]);
    if (seen === null) return 'unverified: nothing could be run inside the namespace';
    const reached = seen.filter((each) => each.reached);
    if (reached.length > 0)
      throw new Fault(
        'unavailable',
        `the egress policy does not hold: ${reached.map(({ target, seen: how }) => `${target} (${how})`).join(', ')} can be reached from inside`,
      );
    const opened = openedBy(policy);
    if (opened.length > 0) return `off: ${opened.join(', ')} may be reached`;
    return `verified: ${seen.map(({ target, seen: how }) => `${target} ${how}`).join(', ')}`;
  }

  /** Every step also where a former one is missing; the lease goes last. */
  async #remove(lease: NetworkLease): Promise<void> {
    const { store, bootId } = this.#options;
    if (lease.bootId === bootId) for (const held of [...lease.processes].reverse()) await end(held);
    await this.#endUnnoted(lease.allocId);
    for (const path of [this.#fifo(lease), this.#file(lease, 'socket')]) await rm(path, { force: true });
    await store.remove(lease.allocId);
  }

  /** What an agent started and could not note before it died: of one allocation, or of all that have no lease. */
  async #endUnnoted(allocId?: string): Promise<void> {
    const { store } = this.#options;
    const noted = new Set(store.all().flatMap(({ processes }) => processes.map(({ pid }) => pid)));
    for (const { pid, owner, startTime } of await marked(this.#owner(''))) {
      const ours = allocId === undefined ? store.get(owner) === undefined : owner === allocId;
      if (ours && !(allocId === undefined && noted.has(pid))) await end({ pid, startTime });
    }
  }

  #owner(allocId: string): string {
    return `${this.#options.directory}:${allocId}`;
  }

  #fifo(lease: NetworkLease): string {
    return this.#file(lease, 'fifo');
  }

  #file({ allocId }: NetworkLease, kind: string): string {
    return join(this.#options.directory, `${allocId.slice(0, 8)}.${kind}`);
  }

  async #inside(holder: Held, command: readonly string[], input?: string): Promise<void> {
    const done = await runChild(
      [this.#options.verifier, 'enter', networkFile(holder), ...command],
      input === undefined ? {} : { input },
    );
    if (done.code === 0) return;
    const why = done.stderr.trim().split('\n').slice(0, 3).join('; ') || `exit code ${done.code}`;
    throw new Fault('unavailable', `${command[0]} in a network of an ordinary user: ${why}`, { recoverable: true });
  }
}

function networkOf({ kind, namespacePath, address, egress }: NetworkLease): GroupNetwork {
  return { path: namespacePath, interfaceName: kind === 'slirp' ? inside : '', address, egress };
}

function inodeOf(holder: Held): number {
  return Number(/\d+/.exec(kernelLink(networkFile(holder)))?.[0] ?? 0);
}

function hostAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return [
    ...new Set(all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address)),
  ].sort();
}

/** A process in the network namespace, but none of those that only hold it or pass its packets on. */
async function processIn(inode: number): Promise<string | null> {
  for (const pid of await readdir('/proc'))
    if (/^\d+$/.test(pid) && kernelLink(`/proc/${pid}/ns/net`) === `net:[${inode}]`) return pid;
  return null;
}

/** This user's processes that bear a mark beginning with `prefix`. */
async function marked(prefix: string): Promise<readonly (Held & { readonly owner: string })[]> {
  const found: (Held & { readonly owner: string })[] = [];
  for (const name of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const pid = Number(name);
    const startTime = startTimeOf(pid);
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    const value = environment.split('\0').find((each) => each.startsWith(`${mark}=${prefix}`));
    if (value !== undefined && startTime !== '')
      found.push({ pid, startTime, owner: value.slice(`${mark}=${prefix}`.length) });
  }
  return found;
}
