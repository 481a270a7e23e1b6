import type { Clock } from './context.ts';

/** A clock that stands until it is moved: for tests and the simulation. */
export class ManualClock implements Clock {
  #now: number;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor(now = 1_700_000_000_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  elapsedMs(): number {
    return this.#now / 1e6;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms) * 1e6, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Moves on, running what comes due in order; between two timers everything that waits for nothing but turns is done. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms * 1e6;
    for (;;) {
      await settle();
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything run that does not wait for time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
