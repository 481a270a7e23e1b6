/** Tells the servers how allocations are doing: the newest report of each, one request at a time, until it is taken. */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import type { Log } from '../lib/log.ts';
import type { AllocationUpdate, NodeCredentials, ServerConnection } from './server-connection.ts';

/** Reports in one request. */
const batch = 500;

export class UpdateSender {
  readonly #server: ServerConnection;
  readonly #who: NodeCredentials;
  readonly #log: Log;
  readonly #waiting = new Map<string, AllocationUpdate>();
  /** A digest of the last report of each allocation that the servers took: what says nothing new is not sent. */
  readonly #taken = new Map<string, string>();
  #wake: () => void = () => undefined;
  #sending = false;
  #whenIdle: (() => void)[] = [];

  constructor(server: ServerConnection, who: NodeCredentials, log: Log) {
    this.#server = server;
    this.#who = who;
    this.#log = log;
  }

  send(update: AllocationUpdate): void {
    if (this.#taken.get(update.ID) === digest(update) && !this.#waiting.has(update.ID)) return;
    this.#waiting.set(update.ID, update);
    this.#wake();
  }

  /** The allocation is gone from the servers. */
  forget(allocId: string): void {
    this.#waiting.delete(allocId);
    this.#taken.delete(allocId);
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    if (this.#waiting.size === 0 && !this.#sending) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Runs until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    let failures = 0;
    while (!signal.aborted) {
      if (this.#waiting.size === 0) {
        for (const resolve of this.#whenIdle.splice(0)) resolve();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const updates = [...this.#waiting.values()].slice(0, batch);
      for (const update of updates) this.#waiting.delete(update.ID);
      this.#sending = true;
      try {
        await this.#server.updateAllocations(this.#who, updates, signal);
        for (const update of updates) this.#taken.set(update.ID, digest(update));
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

function digest(update: AllocationUpdate): string {
  return createHash('sha256').update(formatJson(update)).digest('base64');
}
