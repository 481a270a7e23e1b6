import type { Allocation } from '../model/allocation.ts';
import type { HostStats } from '../model/host-stats.ts';
import type { Node } from '../model/node.ts';
import type { NodePool } from '../model/node-pool.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

/** A row of a list; resources only with `resources=true`. */
export interface NodeStub
  extends Pick<
    Node,
    | 'ID'
    | 'Datacenter'
    | 'Name'
    | 'NodeClass'
    | 'NodePool'
    | 'Drain'
    | 'SchedulingEligibility'
    | 'Status'
    | 'StatusDescription'
    | 'Drivers'
    | 'HostVolumes'
    | 'LastDrain'
    | 'CreateIndex'
    | 'ModifyIndex'
  > {
  readonly Address: string;
  readonly Version: string;
  readonly Attributes?: Node['Attributes'];
  readonly NodeResources?: Node['NodeResources'];
  readonly ReservedResources?: Node['ReservedResources'];
}

export interface NodeUpdate {
  readonly NodeModifyIndex: number;
  readonly EvalIDs: readonly string[] | null;
  readonly EvalCreateIndex: number;
}

export interface DrainRequest {
  /** Nanoseconds; negative: force at once; 0: none. */
  readonly deadlineNs: number;
  readonly ignoreSystemJobs: boolean;
}

type Reading<T> = Promise<ReadResult<T>>;

export class NodesClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** `query`: `prefix`, `filter`, `per_page`, `next_token`, `resources`, `os`. */
  list(options?: CallOptions): Reading<readonly NodeStub[]> {
    return this.#client.get('/v1/nodes', options);
  }

  read(id: string, options?: CallOptions): Reading<Node> {
    return this.#client.get(path`/v1/node/${id}`, options);
  }

  allocations(id: string, options?: CallOptions): Reading<readonly Allocation[]> {
    return this.#client.get(path`/v1/node/${id}/allocations`, options);
  }

  setEligibility(id: string, eligible: boolean, options?: CallOptions): Reading<NodeUpdate> {
    const body = { NodeID: id, Eligibility: eligible ? 'eligible' : 'ineligible' };
    return this.#client.put(path`/v1/node/${id}/eligibility`, body, options);
  }

  /** `drain` null ends a drain. */
  drain(
    id: string,
    drain: DrainRequest | null,
    more: { readonly markEligible?: boolean; readonly meta?: { readonly [key: string]: string } } = {},
    options?: CallOptions,
  ): Reading<NodeUpdate> {
    const body = {
      NodeID: id,
      DrainSpec: drain === null ? null : { Deadline: drain.deadlineNs, IgnoreSystemJobs: drain.ignoreSystemJobs },
      MarkEligible: more.markEligible ?? false,
      Meta: more.meta ?? null,
    };
    return this.#client.put(path`/v1/node/${id}/drain`, body, options);
  }

  evaluate(id: string, options?: CallOptions): Reading<NodeUpdate> {
    return this.#client.put(path`/v1/node/${id}/evaluate`, undefined, options);
  }

  purge(id: string, options?: CallOptions): Reading<NodeUpdate> {
    return this.#client.put(path`/v1/node/${id}/purge`, undefined, options);
  }

  /** `id` empty: the node that answers. */
  stats(id = '', options: CallOptions = {}): Reading<HostStats> {
    return this.#client.get('/v1/client/stats', { ...options, query: { node_id: id || undefined, ...options.query } });
  }

  collectGarbage(id = '', options: CallOptions = {}): Reading<null> {
    return this.#client.get('/v1/client/gc', { ...options, query: { node_id: id || undefined, ...options.query } });
  }

  pools(options?: CallOptions): Reading<readonly NodePool[]> {
    return this.#client.get('/v1/node/pools', options);
  }
}
