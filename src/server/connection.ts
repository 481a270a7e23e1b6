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
  /** Node → the index at which an allocation of it was last placed, changed by the servers, or taken away. What clients report is none. */
  readonly #newsAt = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
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
      if (allocation !== null && allocation.AllocModifyIndex !== commit.index) continue;
      const nodeId = (allocation ?? commit.before('allocations', id))?.NodeID;
      if (nodeId === undefined) continue;
      this.#newsAt.set(nodeId, commit.index);
      for (const wake of this.#waiting.get(nodeId) ?? []) wake();
    }
    for (const [id, node] of commit.changed('nodes')) if (node === null) this.#newsAt.delete(id);
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
    const cancel = clock.after(longestWaitMs, () => waiting.abort());
    const over = AbortSignal.any([signal, waiting.signal]);
    try {
      for (;;) {
        const news = this.#newsAt.get(nodeId) ?? this.#startedAt;
        // A client that is ahead of us saw a state we have lost: it must learn that.
        if (news > after || after === 0 || after > store.snapshot().index || over.aborted)
          return this.#allocations(nodeId);
        await this.#news(nodeId, over);
      }
    } finally {
      cancel();
    }
  }

  /** Resolves with the next that a node has to know, or when the signal fires. */
  async #news(nodeId: string, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(nodeId) ?? new Set();
    this.#waiting.set(nodeId, waiting);
    let wake: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
    signal.removeEventListener('abort', wake);
    waiting.delete(wake);
    if (waiting.size === 0) this.#waiting.delete(nodeId);
  }

  #allocations(nodeId: string): AllocationWatch {
    const snapshot = this.#context.store.snapshot();
    const allocations: { [id: string]: number } = {};
    for (const allocation of snapshot.by('allocations', 'node', nodeId))
      allocations[allocation.ID] = allocation.AllocModifyIndex;
    return { index: snapshot.index, allocations };
  }
}
