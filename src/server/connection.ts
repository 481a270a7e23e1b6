/** The server's side of what clients call, in process. Frozen JSON in and out is the caller's affair over HTTP; here rows are shared, never changed. */
import type { AllocationWatch, NodeCredentials, ServerConnection } from '../client/server-connection.ts';
import { jobVersionId } from '../model/job-id.ts';
import type { Node } from '../model/node.ts';
import { updateAllocations, withJobs } from './allocation-updates.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import { type Heartbeats, unknownNode } from './heartbeats.ts';
import { checkSecret, registerNode, reviveNode } from './node-register.ts';

const longestWaitMs = 300_000;

export class Connections implements CommitListener {
  readonly #context: ServerContext;
  readonly #heartbeats: Heartbeats;
  /** Node → the index at which an allocation of it was last taken away: rows that are gone have none of their own. */
  readonly #removedAt = new Map<string, number>();
  /** Before this process began, anything may have been taken away. */
  #startedAt = 0;

  constructor(context: ServerContext, heartbeats: Heartbeats) {
    this.#context = context;
    this.#heartbeats = heartbeats;
  }

  start(): void {
    this.#startedAt = this.#context.store.snapshot().index;
  }

  committed(commit: Commit): void {
    for (const [id, allocation] of commit.changed('allocations')) {
      if (allocation !== null) continue;
      const before = commit.before('allocations', id);
      if (before !== undefined) this.#removedAt.set(before.NodeID, commit.index);
    }
    for (const [id, node] of commit.changed('nodes')) if (node === null) this.#removedAt.delete(id);
  }

  /** `mayJoin`: a node not known yet is taken (in process, or its join token was right). */
  connection({ mayJoin }: { readonly mayJoin: boolean }): ServerConnection {
    const known = (who: NodeCredentials): Node => this.#known(who);
    const context = this.#context;
    return {
      register: async (node) => {
        const index = await registerNode(context, node, mayJoin);
        return { index, heartbeatTtlMs: this.#heartbeats.beat(node.ID) };
      },
      heartbeat: async (who) => {
        if (known(who).Status !== 'ready') await reviveNode(context, who.nodeId);
        return { heartbeatTtlMs: this.#heartbeats.beat(who.nodeId) };
      },
      watchAllocations: async (who, index, signal) => {
        known(who);
        return this.#watch(who.nodeId, index, signal);
      },
      readAllocations: async (who, ids) => {
        known(who);
        return withJobs(context, who.nodeId, ids);
      },
      updateAllocations: async (who, updates) => {
        known(who);
        await updateAllocations(context, who.nodeId, updates);
      },
      readJob: async (who, namespace, id, version) => {
        known(who);
        return context.store.snapshot().get('jobVersions', jobVersionId(namespace, id, version)) ?? null;
      },
    };
  }

  #known(who: NodeCredentials): Node {
    const node = this.#context.store.snapshot().get('nodes', who.nodeId);
    if (node === undefined) throw unknownNode(who.nodeId);
    checkSecret(node, who.secretId);
    return node;
  }

  async #watch(nodeId: string, after: number, signal: AbortSignal): Promise<AllocationWatch> {
    const { store, clock } = this.#context;
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const cancel = clock.after(longestWaitMs, stop);
    signal.addEventListener('abort', stop, { once: true });
    let seen = 0;
    try {
      for (;;) {
        const snapshot = store.snapshot();
        let newest = this.#removedAt.get(nodeId) ?? this.#startedAt;
        let count = 0;
        // most changes are what the client itself reports: looked through, not listed
        for (const { AllocModifyIndex } of snapshot.by('allocations', 'node', nodeId)) {
          if (AllocModifyIndex > newest) newest = AllocModifyIndex;
          count++;
        }
        const isNews = newest > after || after === 0 || count < seen;
        // A client that is ahead of us saw a state we have lost: it must learn that.
        if (isNews || after > snapshot.index || waiting.signal.aborted || signal.aborted)
          return this.#allocations(nodeId);
        seen = count;
        const rows = [{ table: 'allocations', index: 'node', key: nodeId }] as const;
        await store.changed({ after: snapshot.index, tables: ['allocations'], rows }, waiting.signal);
      }
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  #allocations(nodeId: string): AllocationWatch {
    const snapshot = this.#context.store.snapshot();
    const allocations: { [id: string]: number } = {};
    for (const allocation of snapshot.by('allocations', 'node', nodeId))
      allocations[allocation.ID] = allocation.AllocModifyIndex;
    return { index: snapshot.index, allocations };
  }
}
