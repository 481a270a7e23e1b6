/**
 * Where server and client meet: declared by the client, who calls it; served in process within one agent, over HTTP(S) between agents.
 * Frozen JSON in and out. Every call may be lost, delayed or repeated: all are idempotent.
 */
import type { Allocation, AllocDeploymentStatus } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { AllocNetworkStatus } from '../model/network.ts';
import type { Node } from '../model/node.ts';
import type { TaskState } from '../model/task-state.ts';

/** A node proves who it is by its secret id, made by itself at its first start; the server keeps the first it sees. */
export interface NodeCredentials {
  readonly nodeId: string;
  readonly secretId: string;
}

/** What a client reports about an allocation: the client's part of the row, whole. */
export interface AllocationUpdate {
  readonly ID: string;
  readonly NodeID: string;
  readonly ClientStatus: string;
  readonly ClientDescription: string;
  readonly TaskStates: { readonly [task: string]: TaskState };
  readonly DeploymentStatus: AllocDeploymentStatus | null;
  readonly NetworkStatus: AllocNetworkStatus | null;
}

export interface AllocationWatch {
  readonly index: number;
  /** Allocation id → AllocModifyIndex (grows when the server's part of the row changes), for every allocation of the node. */
  readonly allocations: { readonly [id: string]: number };
}

export interface ServerConnection {
  /** First registration and every change of the node's fingerprint. `joinToken`: needed from another agent, once. */
  register(node: Node, signal: AbortSignal): Promise<{ readonly index: number; readonly heartbeatTtlMs: number }>;
  /** `Fault('not_found')`: the server does not know the node; register again. */
  heartbeat(who: NodeCredentials, signal: AbortSignal): Promise<{ readonly heartbeatTtlMs: number }>;
  /** Resolves when the node's allocations changed after `index`, or after a wait of at most 5 minutes. */
  watchAllocations(who: NodeCredentials, index: number, signal: AbortSignal): Promise<AllocationWatch>;
  /** The rows, each with its `Job` embedded; ids the server does not know are left out. */
  readAllocations(who: NodeCredentials, ids: readonly string[], signal: AbortSignal): Promise<readonly Allocation[]>;
  /** Applied in the order given; an older report than the stored one is ignored. */
  updateAllocations(who: NodeCredentials, updates: readonly AllocationUpdate[], signal: AbortSignal): Promise<void>;
  readJob(
    who: NodeCredentials,
    namespace: string,
    id: string,
    version: number,
    signal: AbortSignal,
  ): Promise<Job | null>;
}
