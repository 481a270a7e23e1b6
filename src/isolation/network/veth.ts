/**
 * Networks as root: one namespace per allocation, an interface pair that the host routes to, rules in a table of this agent's own.
 *
 *   lease on the disk ─▶ namespace ─▶ pair, addresses, routes ─▶ rules ─▶ checked from inside ─▶ lease complete
 *   release: pair ─▶ rules ─▶ namespace ─▶ lease
 *
 * No bridge: each allocation has its own way to the host, so that what passes between two of them passes the rules. A bridge would need
 * its ports kept apart, and where the host filters bridged frames (`bridge-nf-call-iptables`) published ports would lead around the rules.
 */
import { existsSync, statSync } from 'node:fs';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { Fault } from '../../lib/fault.ts';
import { runChild } from '../mechanisms/probe.ts';
import { type Block, formatAddress, freeAddress, gatewayOf, sizeOf } from './address.ts';
import { type EgressPolicy, openedBy, probeTargets } from './egress-policy.ts';
import { interfaceNameOf, type NetworkLease } from './lease.ts';
import type { LeaseStore } from './lease-store.ts';
import type { GroupNetwork, HostNetworks, NetworkRequest } from './networks.ts';
import { reachFrom } from './reach.ts';
import { addedRules, fullRuleset, interfaceGroup, policyIn, type RulesetInput, removedRules } from './ruleset.ts';

export interface VethOptions {
  readonly store: LeaseStore;
  /** Of nft; no other agent's. */
  readonly table: string;
  readonly subnet: Block;
  readonly policy: EgressPolicy;
  readonly agentPorts: readonly number[];
  readonly agents: readonly string[];
  readonly bootId: string;
  /** The static program that connects from inside. Null: not built; nothing can be verified then. */
  readonly verifier: string | null;
  /** Where namespaces' files are: `/run/netns`, as `ip netns` has it. */
  readonly namespaces: string;
  /** Leads into the network namespace that stands for the host; empty: the agent's own. */
  readonly within: readonly string[];
}

const inside = 'eth0';

export class VethNetworks implements HostNetworks {
  readonly #options: VethOptions;
  readonly #rules: RulesetInput;
  /** Changes of the host's state, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #ready = false;
  /** The rules as the kernel tells them since they were last written in full; null: a former life of the agent wrote them. */
  #policy: string | null = null;
  #lastAddress: string | null = null;

  constructor(options: VethOptions) {
    this.#options = options;
    const { table, subnet, policy, agentPorts, agents } = options;
    this.#rules = { table, subnet, policy, agentPorts, agents };
  }

  find(allocId: string): GroupNetwork | null {
    const lease = this.#options.store.get(allocId);
    return lease === undefined || lease.namespaceInode === 0 ? null : networkOf(lease);
  }

  ensure(request: NetworkRequest): Promise<GroupNetwork> {
    return this.#alone(async () => {
      const known = this.#options.store.get(request.allocId);
      if (known !== undefined && (await this.#findAgain(known))) return this.#mended(known);
      if (known !== undefined) await this.#remove(known);
      return this.#make(request, known?.address ?? null);
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
    return lost.map(({ allocId }) => allocId);
  }

  mend(): Promise<readonly string[]> {
    return this.#alone(async () => {
      const leases = this.#complete().filter(({ kind }) => kind === 'veth');
      if (leases.length === 0) return [];
      const mended: string[] = [];
      const lost = await this.#rulesLost(leases);
      if (lost !== null) {
        await this.#write(leases);
        if (lost !== '') mended.push(`the rules of table ${this.#options.table} were ${lost}`);
      }
      for (const lease of leases) {
        if (this.#linkIsThere(lease) || !(await this.#findAgain(lease))) continue;
        await this.#connect(lease);
        mended.push(`interface ${lease.interfaceName} of allocation ${lease.allocId} was gone`);
      }
      return mended;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Leases of which everything was made. */
  #complete(): readonly NetworkLease[] {
    return this.#options.store.all().filter(({ namespaceInode }) => namespaceInode !== 0);
  }

  async #make(request: NetworkRequest, preferred: string | null): Promise<GroupNetwork> {
    const { store, bootId, namespaces } = this.#options;
    const apart = request.kind === 'loopback';
    const lease: NetworkLease = {
      version: 1,
      allocId: request.allocId,
      kind: apart ? 'loopback' : 'veth',
      address: apart ? '' : this.#chooseAddress(preferred),
      interfaceName: apart ? '' : interfaceNameOf(request.allocId),
      namespacePath: `${namespaces}/${request.allocId}`,
      namespaceInode: 0,
      ports: request.ports,
      bootId,
      egress: '',
      processes: [],
    };
    await store.save(lease);
    try {
      await this.#lay(lease, [`netns add ${lease.allocId}`]);
      const made = { ...lease, namespaceInode: statSync(lease.namespacePath).ino };
      const complete = { ...made, egress: await this.#checkEgress(made) };
      await store.save(complete);
      return networkOf(complete);
    } catch (error) {
      await this.#remove(lease).catch(() => undefined);
      throw error;
    }
  }

  #chooseAddress(preferred: string | null): string {
    const { store, subnet } = this.#options;
    const taken = store.addresses();
    const free = preferred !== null && preferred !== '' && !taken.has(preferred);
    const address = free ? preferred : freeAddress(subnet, taken, this.#lastAddress);
    if (address === null)
      throw new Fault('unavailable', 'no address is left for the allocation: bridge_network_subnet is full', {
        recoverable: true,
      });
    this.#lastAddress = address;
    return address;
  }

  /** The way in, where one was asked for. `first`: what is to be done before, in the same batch; the namespace is there then. */
  async #lay(lease: NetworkLease, first: readonly string[]): Promise<void> {
    if (lease.kind === 'veth') {
      // before there is an interface, so that nothing ever passes it without rules
      await this.#addRules(lease);
      return this.#connect(lease, first);
    }
    await this.#ip(...first);
    await Promise.all([this.#ipInside(lease.allocId, 'link set lo up'), this.#openLowPorts(lease)]);
  }

  /** The namespace's file is there and leads to what it led to; where only the file was lost, a process inside gives it back. */
  async #findAgain(lease: NetworkLease): Promise<boolean> {
    if (lease.bootId !== this.#options.bootId || lease.namespaceInode === 0) return false;
    const there = statSync(lease.namespacePath, { throwIfNoEntry: false });
    if (there?.ino === lease.namespaceInode) return true;
    const pid = await processIn(lease.namespaceInode);
    if (pid === null) return false;
    if (there !== undefined) await this.#run(['ip', 'netns', 'del', lease.allocId]);
    await this.#run(['ip', 'netns', 'attach', lease.allocId, pid]);
    return statSync(lease.namespacePath, { throwIfNoEntry: false })?.ino === lease.namespaceInode;
  }

  async #mended(lease: NetworkLease): Promise<GroupNetwork> {
    if (lease.kind === 'veth' && !this.#linkIsThere(lease)) await this.#lay(lease, []);
    else await this.#addRules(lease);
    const complete = { ...lease, egress: await this.#checkEgress(lease) };
    await this.#options.store.save(complete);
    return networkOf(complete);
  }

  /** The host passes packets on, and has the rules for all that is known: before the first interface, so that none is ever without them. */
  async #prepareHost(): Promise<void> {
    if (this.#ready) return;
    await this.#sysctl('net/ipv4/ip_forward', '1');
    await this.#write(this.#complete());
    this.#ready = true;
  }

  async #connect(lease: NetworkLease, first: readonly string[] = []): Promise<void> {
    const gateway = gatewayOf(this.#options.subnet);
    const { interfaceName: name, address, allocId } = lease;
    await this.#ip(
      ...first,
      // a name that an earlier life left is ours: it is made of the allocation's id
      ...(this.#linkIsThere(lease) ? [`link del ${name}`] : []),
      `link add ${name} group ${interfaceGroup} type veth peer name ${inside} netns ${allocId}`,
      `addr add ${gateway}/32 dev ${name}`,
      `link set ${name} up`,
      `route add ${address}/32 dev ${name}`,
    );
    await Promise.all([
      this.#sysctl(`net/ipv6/conf/${name}/disable_ipv6`, '1').catch(() => undefined),
      this.#sysctl(`net/ipv4/conf/${name}/rp_filter`, '1'),
      // connections from the host's loopback to a published port come back over it
      this.#sysctl(`net/ipv4/conf/${name}/route_localnet`, '1'),
      this.#ipInside(
        allocId,
        'link set lo up',
        `addr add ${address}/32 dev ${inside}`,
        `link set ${inside} up`,
        `route add ${gateway} dev ${inside} scope link`,
        `route add default via ${gateway} dev ${inside}`,
      ),
      this.#openLowPorts(lease),
    ]);
  }

  /** Its own ports below 1024 are nobody else's: no capability is needed for them. */
  #openLowPorts({ namespacePath }: NetworkLease): Promise<void> {
    return this.#run(
      ['nsenter', `--net=${namespacePath}`, 'tee', '/proc/sys/net/ipv4/ip_unprivileged_port_start'],
      '0',
    );
  }

  async #addRules(lease: NetworkLease): Promise<void> {
    if (lease.kind !== 'veth') return;
    await this.#prepareHost();
    const { table } = this.#options;
    const clash = this.#complete().find(
      (other) =>
        other.allocId !== lease.allocId &&
        other.ports.some((port) => lease.ports.some((own) => own.port === port.port && own.hostIp === port.hostIp)),
    );
    if (clash !== undefined)
      throw new Fault('unavailable', `a port of the allocation is still published by allocation ${clash.allocId}`, {
        recoverable: true,
      });
    await this.#nft(addedRules(table, lease)).catch(() =>
      this.#write([...this.#complete().filter((other) => other.allocId !== lease.allocId), lease]),
    );
  }

  async #write(leases: readonly NetworkLease[]): Promise<void> {
    await this.#nft(fullRuleset(this.#rules, leases));
    this.#policy = (await this.#listed()).policy;
  }

  /** `'gone'`, `'changed'`; `''`: what they were is not known. Null: they hold. */
  async #rulesLost(leases: readonly NetworkLease[]): Promise<string | null> {
    const { listing, policy } = await this.#listed();
    if (!leases.every(({ interfaceName }) => listing.includes(`"${interfaceName}"`))) return 'gone';
    if (this.#policy === null) return '';
    return policy === this.#policy ? null : 'changed';
  }

  async #listed(): Promise<{ readonly listing: string; readonly policy: string }> {
    const { table, within } = this.#options;
    const { code, stdout } = await runChild([...within, 'nft', '-s', 'list', 'table', 'inet', table]);
    const listing = code === 0 ? stdout : '';
    return { listing, policy: policyIn(listing) };
  }

  /** Every step also where a former one is missing; the lease goes last, so that what could not be removed is tried again. */
  async #remove(lease: NetworkLease): Promise<void> {
    const { store, bootId } = this.#options;
    if (lease.kind === 'veth' && lease.bootId === bootId) await this.#disconnect(lease);
    if (existsSync(lease.namespacePath)) await this.#run(['ip', 'netns', 'del', lease.allocId]);
    await store.remove(lease.allocId);
  }

  /** The last one takes the table along. */
  async #disconnect(lease: NetworkLease): Promise<void> {
    const { store, table } = this.#options;
    if (this.#linkIsThere(lease)) await this.#ip(`link del ${lease.interfaceName}`);
    const others = store.all().filter(({ allocId, kind }) => allocId !== lease.allocId && kind === 'veth');
    if (others.length > 0) {
      await this.#nft(removedRules(table, lease)).catch(() => this.#write(others));
      return;
    }
    await this.#nft(`add table inet ${table}\ndelete table inet ${table}\n`);
    this.#ready = false;
  }

  async #checkEgress(lease: NetworkLease): Promise<string> {
    if (lease.kind === 'loopback') return 'verified: nothing but loopback';
    const { policy, verifier, agentPorts, subnet } = this.#options;
    const open = openedBy(policy);
    const targets = probeTargets(policy, {
      agent: gatewayOf(subnet),
      agentPort: agentPorts[0] ?? 0,
      neighbour: formatAddress(subnet.first + sizeOf(subnet) - 2),
    });
    if (verifier === null) return 'unverified: the verifier is not built';
    const seen = await reachFrom(['nsenter', `--net=${lease.namespacePath}`], verifier, targets);
    if (seen === null) return 'unverified: nothing could be run inside the namespace';
    const reached = seen.filter((each) => each.reached);
    if (reached.length > 0)
      throw new Fault(
        'unavailable',
        `the egress policy does not hold: ${reached.map(({ target, seen: how }) => `${target} (${how})`).join(', ')} can be reached from inside`,
      );
    if (open.length > 0) return `off: ${open.join(', ')} may be reached`;
    return `verified: ${seen.map(({ target, seen: how }) => `${target} ${how}`).join(', ')}`;
  }

  #linkIsThere({ interfaceName }: NetworkLease): boolean {
    // of the agent's own network namespace, which /sys need not show
    if (this.#options.within.length === 0) return existsSync(`/proc/sys/net/ipv4/conf/${interfaceName}`);
    return false;
  }

  async #sysctl(name: string, value: string): Promise<void> {
    const path = `/proc/sys/${name}`;
    if (this.#options.within.length === 0) return writeFile(path, value);
    await this.#run([...this.#options.within, 'tee', path], value);
  }

  #ip(...lines: readonly string[]): Promise<void> {
    return this.#run([...this.#options.within, 'ip', '-batch', '-'], `${lines.join('\n')}\n`);
  }

  #ipInside(name: string, ...lines: readonly string[]): Promise<void> {
    return this.#run(['ip', '-netns', name, '-batch', '-'], `${lines.join('\n')}\n`);
  }

  #nft(text: string): Promise<void> {
    return this.#run([...this.#options.within, 'nft', '-f', '-'], text);
  }

  async #run(command: readonly string[], input?: string): Promise<void> {
    const done = await runChild(command, { timeoutMs: commandLimitMs, ...(input === undefined ? {} : { input }) });
    if (done.code === 0) return;
    const why = done.stderr.trim().split('\n').slice(0, 3).join('; ') || `exit code ${done.code}`;
    throw new Fault('unavailable', `${command.slice(this.#options.within.length).join(' ')}: ${why}`, {
      recoverable: true,
    });
  }
}

/** The first rules after a boot make the kernel load a dozen modules, one after the other, while everything else starts too. */
const commandLimitMs = 60_000;

function networkOf({ kind, namespacePath, address, egress }: NetworkLease): GroupNetwork {
  return { path: namespacePath, interfaceName: kind === 'loopback' ? '' : inside, address, egress };
}

/** Any process in the network namespace, by the namespace's inode. */
async function processIn(inode: number): Promise<string | null> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    if ((await readlink(`/proc/${pid}/ns/net`).catch(() => '')) === `net:[${inode}]`) return pid;
  }
  return null;
}
