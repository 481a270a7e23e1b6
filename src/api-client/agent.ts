import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { frames } from './files.ts';

export interface AgentMember {
  readonly Name: string;
  readonly Addr: string;
  readonly Port: number;
  readonly Tags: { readonly [tag: string]: string };
  readonly Status: string;
  readonly ProtocolMin: number;
  readonly ProtocolMax: number;
  readonly ProtocolCur: number;
  readonly DelegateMin: number;
  readonly DelegateMax: number;
  readonly DelegateCur: number;
}

export interface AgentSelf {
  readonly config: { readonly [key: string]: unknown };
  readonly member: AgentMember;
  /** Section → key → value, all text. */
  readonly stats: { readonly [section: string]: { readonly [key: string]: string } };
}

export interface AgentMembers {
  readonly ServerName: string;
  readonly ServerRegion: string;
  readonly ServerDC: string;
  readonly Members: readonly AgentMember[];
}

export interface AgentHealth {
  readonly client?: { readonly ok: boolean; readonly message: string };
  readonly server?: { readonly ok: boolean; readonly message: string };
}

export interface SearchAnswer {
  readonly Matches: { readonly [context: string]: readonly string[] | null };
  readonly Truncations: { readonly [context: string]: boolean };
}

type Reading<T> = Promise<ReadResult<T>>;

/** The agent itself, and the cluster as a whole. */
export class AgentClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  self(options?: CallOptions): Reading<AgentSelf> {
    return this.#client.get('/v1/agent/self', options);
  }

  members(options?: CallOptions): Reading<AgentMembers> {
    return this.#client.get('/v1/agent/members', options);
  }

  health(options?: CallOptions): Reading<AgentHealth> {
    return this.#client.get('/v1/agent/health', options);
  }

  /** Log lines as text, as they are written. `query`: `log_level`, `log_json`. */
  async *monitor(options?: CallOptions): AsyncIterable<string> {
    const decoder = new TextDecoder();
    for await (const frame of frames(this.#client.stream('/v1/agent/monitor', options)))
      yield decoder.decode(frame.data, { stream: true });
  }

  /** `"127.0.0.1:4647"` */
  leader(options?: CallOptions): Reading<string> {
    return this.#client.get('/v1/status/leader', options);
  }

  peers(options?: CallOptions): Reading<readonly string[]> {
    return this.#client.get('/v1/status/peers', options);
  }

  regions(options?: CallOptions): Reading<readonly string[]> {
    return this.#client.get('/v1/regions', options);
  }

  metrics(options?: CallOptions): Reading<unknown> {
    return this.#client.get('/v1/metrics', options);
  }

  collectGarbage(options?: CallOptions): Reading<null> {
    return this.#client.put('/v1/system/gc', undefined, options);
  }

  reconcileSummaries(options?: CallOptions): Reading<null> {
    return this.#client.put('/v1/system/reconcile/summaries', undefined, options);
  }

  /** At most 20 ids per context; `context`: `jobs`, `allocs`, `nodes`, `evals`, `deployment`, `namespaces`, `node_pools`, `all`. */
  search(prefix: string, context = 'all', options?: CallOptions): Reading<SearchAnswer> {
    return this.#client.put('/v1/search', { Prefix: prefix, Context: context }, options);
  }

  schedulerConfiguration(options?: CallOptions): Reading<{ readonly SchedulerConfig: SchedulerConfiguration }> {
    return this.#client.get('/v1/operator/scheduler/configuration', options);
  }
}
