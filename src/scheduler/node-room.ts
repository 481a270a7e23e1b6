/** What is left of a node while one evaluation is worked on: what runs there, less what the plan stops, and what the plan adds. */
import type { Allocation } from '../model/allocation.ts';
import type { Node } from '../model/node.ts';
import { capacityOf, isTerminal, type Use, useOf } from './fit.ts';
import { addressesOf } from './node-addresses.ts';
import { parsePorts, portClaims } from './port-claims.ts';
import type { ServerSnapshot } from './snapshot.ts';

export class NodeRoom {
  readonly node: Node;
  readonly capacity: Use;
  cpu = 0;
  memory = 0;
  disk = 0;
  count = 0;
  /** What was there before the plan, read again where more than the sums is wanted. */
  readonly #before: () => Iterable<Allocation>;
  readonly #added: Allocation[] = [];
  #ports: Map<string, Set<number>> | undefined;

  constructor(node: Node, before: () => Iterable<Allocation>) {
    this.node = node;
    this.capacity = capacityOf(node);
    this.#before = before;
    for (const allocation of before()) this.#count(allocation, 1);
  }

  #count(allocation: Allocation, by: 1 | -1): void {
    const use = useOf(allocation.AllocatedResources);
    this.cpu += by * use.cpu;
    this.memory += by * use.memory;
    this.disk += by * use.disk;
    this.count += by;
  }

  add(allocation: Allocation): void {
    this.#count(allocation, 1);
    this.#added.push(allocation);
    if (this.#ports === undefined) return;
    for (const { ip, port } of portClaims(allocation.AllocatedResources)) this.portsOn(ip).add(port);
  }

  /** Something that was there before goes (-1) or stays after all (1); `before` says so from then on. */
  change(allocation: Allocation, by: 1 | -1): void {
    this.#count(allocation, by);
    this.#ports = undefined;
  }

  *#all(): Iterable<Allocation> {
    yield* this.#before();
    yield* this.#added;
  }

  freeCores(): readonly number[] {
    const taken = new Set<number>();
    for (const { AllocatedResources } of this.#all())
      for (const core of useOf(AllocatedResources).cores) taken.add(core);
    return this.capacity.cores.filter((core) => !taken.has(core));
  }

  /** The ports that are taken or never given on one of the node's addresses. */
  portsOn(ip: string): Set<number> {
    this.#ports ??= this.#readPorts();
    const found = this.#ports.get(ip) ?? new Set(this.#kept());
    this.#ports.set(ip, found);
    return found;
  }

  #kept(): ReadonlySet<number> {
    return parsePorts(this.node.ReservedResources?.Networks.ReservedHostPorts ?? '');
  }

  #readPorts(): Map<string, Set<number>> {
    const ports = new Map<string, Set<number>>();
    const on = (ip: string): Set<number> => {
      const there = ports.get(ip) ?? new Set(this.#kept());
      ports.set(ip, there);
      return there;
    };
    for (const { ip, reservedPorts } of addressesOf(this.node).values()) {
      for (const port of parsePorts(reservedPorts)) on(ip).add(port);
    }
    for (const { AllocatedResources } of this.#all()) {
      for (const { ip, port } of portClaims(AllocatedResources)) on(ip).add(port);
    }
    return ports;
  }
}

/** The rooms of all nodes, each read when it is first looked at. */
export class Rooms {
  readonly #snapshot: ServerSnapshot;
  readonly #rooms = new Map<string, NodeRoom>();
  readonly #stopped = new Set<string>();

  constructor(snapshot: ServerSnapshot) {
    this.#snapshot = snapshot;
  }

  of(node: Node): NodeRoom {
    const found = this.#rooms.get(node.ID);
    if (found !== undefined) return found;
    const room = new NodeRoom(node, () => this.#live(node.ID));
    this.#rooms.set(node.ID, room);
    return room;
  }

  #live(nodeId: string): Iterable<Allocation> {
    const live = this.#snapshot.by('allocations', 'nodeLive', nodeId);
    return this.#stopped.size === 0 ? live : without(live, this.#stopped);
  }

  stop(allocation: Allocation): void {
    if (isTerminal(allocation) || this.#stopped.has(allocation.ID)) return;
    this.#stopped.add(allocation.ID);
    this.#rooms.get(allocation.NodeID)?.change(allocation, -1);
  }

  /** Takes a stop back: the allocation goes on, as nothing could take its place. */
  keep(allocation: Allocation): void {
    if (this.#stopped.delete(allocation.ID)) this.#rooms.get(allocation.NodeID)?.change(allocation, 1);
  }
}

function* without(allocations: Iterable<Allocation>, ids: ReadonlySet<string>): Iterable<Allocation> {
  for (const allocation of allocations) if (!ids.has(allocation.ID)) yield allocation;
}
