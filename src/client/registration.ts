/** Keeps the servers informed that this node is there and what it can do: registers, beats, registers again after a change. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Node } from '../model/node.ts';
import type { NodeCredentials, ServerConnection } from './server-connection.ts';

export interface RegistrationOptions {
  readonly server: ServerConnection;
  readonly who: NodeCredentials;
  node(): Node;
  /** A heartbeat was answered: the servers are there. */
  beaten(): void;
  readonly log: Log;
  random(): number;
}

export class Registration {
  readonly #options: RegistrationOptions;
  #changed = true;
  #wake: () => void = () => undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** The node's fingerprint changed: the servers hear of it soon. */
  nodeChanged(): void {
    this.#changed = true;
    this.#wake();
  }

  /** Runs until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        const ttlMs = await this.#beat(signal);
        failures = 0;
        this.#options.beaten();
        pauseMs = ttlMs / 2 + this.#options.random() * (ttlMs / 8);
      } catch (error) {
        if (signal.aborted) return;
        if (isFault(error, 'not_found')) this.#changed = true;
        else this.#options.log.warn('the servers did not answer a heartbeat', { error: messageOf(error) });
        pauseMs = Math.min(15_000, 200 * 2 ** failures++) * (0.75 + this.#options.random() / 2);
      }
      await this.#pause(pauseMs, failures > 0, signal);
    }
  }

  async #beat(signal: AbortSignal): Promise<number> {
    const { server, who } = this.#options;
    if (!this.#changed) return (await server.heartbeat(who, signal)).heartbeatTtlMs;
    this.#changed = false;
    try {
      return (await server.register(this.#options.node(), signal)).heartbeatTtlMs;
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  async #pause(ms: number, failed: boolean, signal: AbortSignal): Promise<void> {
    // several changes in a row (drivers reporting one by one) become one registration
    const woken = new Promise<void>((resolve) => {
      this.#wake = () => setTimeout(resolve, 50).unref();
    });
    // a registration that failed is due too, but not before its time
    if (this.#changed && !failed) this.#wake();
    const done = new AbortController();
    await Promise.race([
      woken,
      sleep(ms, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => undefined),
    ]);
    done.abort();
  }
}
