/** The size of a session's terminal, as long as it lasts. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TerminalSize } from '../../driver/contract.ts';

/**
 * Podman's monitor (conmon 2.1.6) heeds only the first of the sizes that it finds waiting, and the engine answers before it has read any: the
 * last is told again, after what a busy host may take. Told twice it changes nothing.
 */
const againAfterMs = [250, 1_000, 4_000, 16_000] as const;

export class TellsSize {
  readonly #tell: (size: TerminalSize) => Promise<void>;
  #last: TerminalSize | null = null;

  /** `tell` does not reject. */
  constructor(tell: (size: TerminalSize) => Promise<void>) {
    this.#tell = tell;
  }

  /** Resolves when it was told the first time. */
  async set(size: TerminalSize): Promise<void> {
    this.#last = size;
    await this.#tell(size);
    void this.#again(size);
  }

  /** The session has ended. */
  end(): void {
    this.#last = null;
  }

  async #again(size: TerminalSize): Promise<void> {
    for (const ms of againAfterMs) {
      await sleep(ms, undefined, { ref: false });
      if (this.#last !== size) return;
      await this.#tell(size);
    }
  }
}
