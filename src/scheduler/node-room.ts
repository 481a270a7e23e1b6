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
  #allocations: Allocation[] = [];
  #ports: Map<string, Set<number>> | undefined;

  constructor(node: Node, allocations: Iterable<Allocation>) {
    this.node = node;
    this.capacity = capacityOf(node);
    for (const allocation of allocations) this.add(allocation);
  }

  get count(): number {
    return this.#allocations.length;
  }

  add(allocation: Allocation): void {
    const use = useOf(allocation.AllocatedResources);
    this.cpu += use.cpu;
    this.memory += use.memory;
    this.disk += use.disk;
    this.#allocations.push(allocation);
    if (this.#ports === undefined) return;
    for (const { ip, port } of portClaims(allocation.AllocatedResources)) this.portsOn(ip).add(port);
  }

  remove(id: string): void {
    const at = this.#allocations.findIndex((allocation) => allocation.ID === id);
    if (at < 0) return;
    const [gone] = this.#allocations.splice(at, 1);
    const use = useOf(gone!.AllocatedResources);
    this.cpu -= use.cpu;
    this.memory -= use.memory;
    this.disk -= use.disk;
    this.#ports = undefined;
  }

  freeCores(): readonly number[] {
    const taken = new Set(this.#allocations.flatMap((allocation) => useOf(allocation.AllocatedResources).cores));
    return this.capacity.cores.filter((core) => !taken.has(core));
  }

  /** The ports that are taken or never given on one of the node's addresses. */
  portsOn(ip: string): Set<number> {
    this.#ports ??= this.#readPorts();
    const found =
      this.#ports.get(ip) ?? new Set(parsePorts(this.node.ReservedResources?.Networks.ReservedHostPorts ?? ''));
    this.#ports.set(ip, found);
    return found;
  }

  #readPorts(): Map<string, Set<number>> {
    const ports = new Map<string, Set<number>>();
    const kept = parsePorts(this.node.ReservedResources?.Networks.ReservedHostPorts ?? '');
    for (const { ip, reservedPorts } of addressesOf(this.node).values()) {
      const there = ports.get(ip) ?? new Set(kept);
      for (const port of parsePorts(reservedPorts)) there.add(port);
      ports.set(ip, there);
    }
    for (const allocation of this.#allocations) {
      for (const { ip, port } of portClaims(allocation.AllocatedResources)) {
        const there = ports.get(ip) ?? new Set(kept);
        there.add(port);
        ports.set(ip, there);
      }
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
    const room = new NodeRoom(node, this.#live(node.ID));
    this.#rooms.set(node.ID, room);
    return room;
  }

  *#live(nodeId: string): Iterable<Allocation> {
    for (const allocation of this.#snapshot.by('allocations', 'nodeLive', nodeId)) {
      if (!this.#stopped.has(allocation.ID) && !isTerminal(allocation)) yield allocation;
    }
  }

  stop(allocation: Allocation): void {
    this.#stopped.add(allocation.ID);
    this.#rooms.get(allocation.NodeID)?.remove(allocation.ID);
  }

  /** Takes a stop back: the allocation goes on, as nothing could take its place. */
  keep(allocation: Allocation): void {
    this.#stopped.delete(allocation.ID);
    if (!isTerminal(allocation)) this.#rooms.get(allocation.NodeID)?.add(allocation);
  }
}
