/**
 * Which nodes are alive. Deadlines live in memory: thousands of nodes beat without one write to the store. A restart begins them anew, with
 * time enough for every client to find the server again.
 */
import { Fault, messageOf } from '../lib/fault.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import { markNodesDown } from './node-register.ts';

export interface HeartbeatOptions {
  /** The least time between a client's heartbeats. Default: 10 s. */
  readonly minTtlMs?: number;
  /** What is added before a silent node counts as down. Default: 10 s. */
  readonly graceMs?: number;
  /** Heartbeats per second that the servers want at most: with many nodes each beats less often. Default: 50. */
  readonly maxPerSecond?: number;
  /** What every known node gets after a start of the server: a machine that boots looks at its drivers first. Default: 5 min. */
  readonly startTtlMs?: number;
}

const checkEveryMs = 1000;
/** A check that comes later than this was held up, and so were the heartbeats that came meanwhile. */
const heldUpMs = 2000;

export class Heartbeats implements CommitListener {
  readonly #context: ServerContext;
  readonly #options: Required<HeartbeatOptions>;
  /** Node → when (on the clock that nobody sets) it counts as down, unless it beats before. */
  readonly #deadlines = new Map<string, number>();
  #checkedAt = 0;
  #cancel: (() => void) | null = null;

  constructor(context: ServerContext, options: HeartbeatOptions = {}) {
    this.#context = context;
    this.#options = { minTtlMs: 10_000, graceMs: 10_000, maxPerSecond: 50, startTtlMs: 300_000, ...options };
  }

  start(): void {
    const now = this.#context.clock.elapsedMs();
    const { startTtlMs, graceMs } = this.#options;
    for (const node of this.#context.store.snapshot().scan('nodes')) {
      if (node.Status !== 'down') this.#deadlines.set(node.ID, now + startTtlMs + graceMs);
    }
    this.#checkedAt = now;
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** The node was heard of. Returns when it should be heard of again. */
  beat(nodeId: string): number {
    const { minTtlMs, graceMs, maxPerSecond } = this.#options;
    const ttlMs = Math.max(minTtlMs, (this.#deadlines.size / maxPerSecond) * 1000);
    this.#deadlines.set(nodeId, this.#context.clock.elapsedMs() + ttlMs + graceMs);
    return Math.round(ttlMs);
  }

  committed(commit: Commit): void {
    for (const [id, node] of commit.changed('nodes'))
      if (node === null || node.Status === 'down') this.#deadlines.delete(id);
  }

  #schedule(): void {
    this.#cancel = this.#context.clock.after(checkEveryMs, () => {
      this.#check().then(
        () => this.#cancel !== null && this.#schedule(),
        (error: unknown) => {
          this.#context.log.warn('silent nodes could not be marked down', { reason: messageOf(error) });
          if (this.#cancel !== null) this.#schedule();
        },
      );
    });
  }

  async #check(): Promise<void> {
    const now = this.#context.clock.elapsedMs();
    const lateMs = now - this.#checkedAt - checkEveryMs;
    this.#checkedAt = now;
    if (lateMs > heldUpMs) {
      this.#context.log.warn('heartbeats were not looked at for a while; every node gets that time back', {
        ms: Math.round(lateMs),
      });
      for (const [id, deadline] of this.#deadlines) this.#deadlines.set(id, deadline + lateMs);
    }
    const silent = [...this.#deadlines].filter(([, deadline]) => deadline < now).map(([id]) => id);
    if (silent.length === 0) return;
    this.#context.log.warn('nodes did not send a heartbeat in time', { nodes: silent });
    await markNodesDown(this.#context, silent);
    for (const id of silent) if ((this.#deadlines.get(id) ?? 0) < now) this.#deadlines.delete(id);
  }
}

export const unknownNode = (nodeId: string): Fault =>
  new Fault('not_found', `node ${nodeId} is not known here: register it`);
