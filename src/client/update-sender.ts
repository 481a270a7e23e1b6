/** Tells the servers how allocations are doing: the newest report of each, one request at a time, until it is taken. */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';
import type { AllocationUpdate, NodeCredentials, ServerConnection } from './server-connection.ts';

/** Reports in one request. */
const batch = 500;

/** News of an allocation on its way to run waits so long for better: each report is a write of the servers' disk. */
const patienceMs = 500;

/** After reports that went together others follow: those of so long go together again. In a burst of starts each would be a commit of its own. */
const paceMs = 20;

export class UpdateSender {
  readonly #server: ServerConnection;
  readonly #who: NodeCredentials;
  readonly #log: Log;
  readonly #waiting = new Map<string, AllocationUpdate>();
  /** Of allocations on their way. */
  readonly #patient = new Map<string, AllocationUpdate>();
  /** The last report of each allocation that the servers took: what says nothing new is not sent. */
  readonly #taken = new Map<string, AllocationUpdate>();
  #wake: () => void = () => undefined;
  #sending = false;
  #patience: NodeJS.Timeout | null = null;
  #whenIdle: (() => void)[] = [];

  constructor(server: ServerConnection, who: NodeCredentials, log: Log) {
    this.#server = server;
    this.#who = who;
    this.#log = log;
  }

  send(update: AllocationUpdate): void {
    const isNewest = !this.#waiting.has(update.ID) && !this.#patient.has(update.ID);
    const taken = isNewest ? this.#taken.get(update.ID) : undefined;
    if (taken !== undefined && saysTheSame(taken, update)) return;
    const onItsWay = update.ClientStatus === 'pending' && typeof update.DeploymentStatus?.Healthy !== 'boolean';
    if (onItsWay && !this.#waiting.has(update.ID)) {
      this.#patient.set(update.ID, update);
      this.#patience ??= setTimeout(() => this.#sendAll(), patienceMs);
      return;
    }
    this.#patient.delete(update.ID);
    this.#waiting.set(update.ID, update);
    this.#wake();
  }

  #sendAll(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    for (const [id, update] of this.#patient) this.#waiting.set(id, update);
    this.#patient.clear();
    this.#wake();
  }

  /** The allocation is gone from the servers. */
  forget(allocId: string): void {
    this.#waiting.delete(allocId);
    this.#patient.delete(allocId);
    this.#taken.delete(allocId);
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    if (this.#waiting.size === 0 && this.#patient.size === 0 && !this.#sending) return;
    this.#sendAll();
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Runs until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#sendAll(), { once: true });
    let failures = 0;
    let next = 0;
    while (!signal.aborted) {
      if (this.#waiting.size === 0) {
        if (this.#patient.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const early = next - performance.now();
      if (early > 0) {
        await sleep(early, undefined, { signal }).catch(() => undefined);
        continue;
      }
      const updates = [...this.#waiting.values()].slice(0, batch);
      if (updates.length > 1) next = performance.now() + paceMs;
      for (const update of updates) this.#waiting.delete(update.ID);
      this.#sending = true;
      try {
        await this.#server.updateAllocations(this.#who, updates, signal);
        for (const update of updates) this.#taken.set(update.ID, update);
        failures = 0;
      } catch (error) {
        // a newer report that came meanwhile stays
        for (const update of updates) if (!this.#waiting.has(update.ID)) this.#waiting.set(update.ID, update);
        if (signal.aborted) return;
        this.#log.warn('the servers did not take a report; trying again', {
          error: messageOf(error),
          reports: updates.length,
        });
        await sleep(Math.min(15_000, 200 * 2 ** failures++), undefined, { signal }).catch(() => undefined);
      } finally {
        this.#sending = false;
      }
    }
  }
}

/** States of tasks are never changed in place: those that are the same value are not looked into. */
function saysTheSame(a: AllocationUpdate, b: AllocationUpdate): boolean {
  const tasks = Object.entries(a.TaskStates);
  if (tasks.length !== Object.keys(b.TaskStates).length) return false;
  if (tasks.some(([name, state]) => b.TaskStates[name] !== state)) return false;
  return formatJson({ ...a, TaskStates: {} }) === formatJson({ ...b, TaskStates: {} });
}
