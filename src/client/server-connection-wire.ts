/**
 * ServerConnection over HTTP(S). Every call is a PUT with a JSON body and a JSON answer; errors are a status and a text as everywhere in the API
 * (404 unknown node: register again; 403 wrong secret or join token). All calls may be repeated.
 *
 *   register    { Node, SecretID included }         → { Index, HeartbeatTtlMs }          join token in its header, needed while the node is unknown
 *   heartbeat   {}                                  → { HeartbeatTtlMs }
 *   watch       { Index }                           → { Index, Allocations }             parked up to five minutes
 *   read        { IDs }                             → { Allocations }
 *   update      { Updates }                         → {}
 *   job         { Namespace, ID, Version }          → { Job }
 */
import type { Allocation } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { AllocationUpdate } from './server-connection.ts';

export const nodeWirePaths = {
  register: '/v1/internal/node/register',
  heartbeat: '/v1/internal/node/heartbeat',
  watch: '/v1/internal/node/watch',
  read: '/v1/internal/node/allocations',
  update: '/v1/internal/node/update',
  job: '/v1/internal/node/job',
} as const;

/** Who calls: on every request, never in a body or path that could be logged. */
export const nodeWireHeaders = {
  nodeId: 'x-drover-node-id',
  secretId: 'x-drover-node-secret',
  joinToken: 'x-drover-join-token',
} as const;

export interface RegisterBody {
  readonly Node: Node;
}

export interface WatchBody {
  readonly Index: number;
}

export interface ReadBody {
  readonly IDs: readonly string[];
}

export interface UpdateBody {
  readonly Updates: readonly AllocationUpdate[];
}

export interface JobBody {
  readonly Namespace: string;
  readonly ID: string;
  readonly Version: number;
}

export interface RegisterAnswer {
  readonly Index: number;
  readonly HeartbeatTtlMs: number;
}

export interface HeartbeatAnswer {
  readonly HeartbeatTtlMs: number;
}

export interface WatchAnswer {
  readonly Index: number;
  readonly Allocations: { readonly [id: string]: number };
}

export interface ReadAnswerBody {
  readonly Allocations: readonly Allocation[];
}

export interface JobAnswer {
  readonly Job: Job | null;
}
