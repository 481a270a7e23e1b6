/**
 * What a plugin did against the protocol. The last such fault is named in its driver's health: a grave one (an answer that cannot be
 * used) makes the driver unhealthy for a minute, so that nothing new is placed there meanwhile; a lesser one (late, ended early) is said.
 */
import type { Fingerprint } from '../../driver/contract.ts';

interface PluginFault {
  readonly text: string;
  readonly grave: boolean;
  readonly atMs: number;
}

const graveForMs = 60_000;
const namedForMs = 600_000;

export class PluginFaults {
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #last: PluginFault | null = null;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** `"StartTask: the answer has no task handle"`. Said again: kept fresh, told to nobody. */
  add(text: string, grave: boolean): void {
    const before = this.#current();
    // a lesser fault does not hide a grave one
    if (before?.grave === true && !grave && this.#now() - before.atMs < graveForMs) return;
    this.#last = { text, grave, atMs: this.#now() };
    if (before?.text !== text || before.grave !== grave) for (const listener of this.#listeners) listener();
  }

  /** A report of the driver, with what its plugin did wrong. */
  named(report: Fingerprint): Fingerprint {
    const fault = this.#current();
    if (fault === null) return report;
    const grave = fault.grave && this.#now() - fault.atMs < graveForMs;
    return {
      ...report,
      health: grave && report.health === 'healthy' ? 'unhealthy' : report.health,
      description: `${report.description}; last fault of the plugin: ${fault.text}`,
    };
  }

  /** Called when the fault to be named has changed. Returns how to stop listening. */
  listen(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  #current(): PluginFault | null {
    if (this.#last !== null && this.#now() - this.#last.atMs > namedForMs) this.#last = null;
    return this.#last;
  }
}
