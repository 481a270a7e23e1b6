/** What the API tells about the agent itself; implemented where the agent is put together. */
import type { AgentHealth, AgentMembers, AgentSelf } from '../api-client/agent.ts';

export interface MonitorOptions {
  /** `trace`, `debug`, `info`, `warn`, `error`. */
  readonly level: string;
  readonly json: boolean;
}

/** One measured value. Names are dotted: `nomad.client.allocs.running`. */
export interface Metric {
  readonly kind: 'gauge' | 'counter';
  readonly name: string;
  readonly value: number;
  readonly labels: { readonly [label: string]: string };
}

export interface AgentFacts {
  readonly region: string;
  readonly datacenter: string;
  readonly name: string;
  /** Secrets are already blanked. */
  self(): AgentSelf;
  members(): AgentMembers;
  health(): AgentHealth;
  /** `"127.0.0.1:4647"`; `""`: none known. */
  leader(): string;
  peers(): readonly string[];
  /** Ids of this server's scheduler workers. */
  schedulers(): readonly {
    readonly id: string;
    readonly enabled: readonly string[];
    readonly started: string;
    readonly status: string;
  }[];
  /** Lines of the agent's own log from now on, each with its line feed, until the signal fires. */
  monitor(options: MonitorOptions, signal: AbortSignal): AsyncIterable<string>;
  metrics(): Promise<readonly Metric[]>;
  /** JSON Web Keys that check the identities this cluster signs. */
  jwks(): readonly { readonly [field: string]: unknown }[];
  /** Reads the configuration files again. */
  reload(): Promise<void>;
}
