/** Whether the engine answers, asked often and told when it changes: a daemon that died or hangs is known within seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fingerprint } from '../../driver/contract.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import type { ContainerDriver, ContainerRules } from './container-driver.ts';
import type { EngineClient } from './engine-client.ts';
import { type EngineFacts, readFacts } from './engine-facts.ts';

const pingEveryMs = 3_000;
const pingLimitMs = 4_000;
const fullEveryMs = 30_000;

export class EngineHealth {
  readonly #client: EngineClient;
  readonly #driver: ContainerDriver;
  readonly #rules: ContainerRules;
  readonly #ability: (facts: EngineFacts) => Promise<Readonly<Record<string, string>>>;
  #facts: EngineFacts | null = null;
  /** Of an engine that says these things of itself. */
  #found: { readonly of: string; attributes: Readonly<Record<string, string>> } = { of: '', attributes: {} };
  #seen = false;
  #wake: () => void = () => {};

  /** `ability`: attributes that take seconds to be found out; they follow when they are there. */
  constructor(
    client: EngineClient,
    driver: ContainerDriver,
    rules: ContainerRules,
    ability: (facts: EngineFacts) => Promise<Readonly<Record<string, string>>>,
  ) {
    this.#ability = ability;
    this.#client = client;
    this.#driver = driver;
    this.#rules = rules;
  }

  /** Something happened to the connection: looks at once. */
  lookNow(): void {
    this.#wake();
  }

  /** As the last look found it; asked for where nobody looked yet. */
  async facts(signal: AbortSignal): Promise<EngineFacts> {
    this.#facts ??= await readFacts(this.#client, signal);
    return this.#facts;
  }

  async *fingerprint(signal: AbortSignal): AsyncGenerator<Fingerprint> {
    let last = '';
    let fullAt = 0;
    while (!signal.aborted) {
      const full = Date.now() - fullAt >= fullEveryMs;
      const report = await this.#look(full, signal);
      if (signal.aborted) return;
      if (full) fullAt = Date.now();
      const text = JSON.stringify(report);
      if (text !== last) {
        last = text;
        yield report;
      }
      await this.#pause(signal);
    }
  }

  async #look(full: boolean, signal: AbortSignal): Promise<Fingerprint> {
    try {
      const answer = await this.#client.text('GET', '/_ping', { signal, timeoutMs: pingLimitMs });
      if (answer.trim() !== 'OK')
        throw new Fault('unavailable', `it answers nonsense: ${JSON.stringify(answer.slice(0, 60))}`);
      if (full || this.#facts === null) this.#facts = await readFacts(this.#client, signal);
      this.#seen = true;
      return this.#healthy(this.#facts);
    } catch (error) {
      this.#facts = null;
      return {
        health: this.#seen ? 'unhealthy' : 'undetected',
        description: `Failed to connect to ${this.#rules.engine} daemon: ${messageOf(error)}`,
        attributes: {},
      };
    }
  }

  #healthy(facts: EngineFacts): Fingerprint {
    const own = `driver.${this.#driver.info.name}`;
    return {
      health: 'healthy',
      description: 'Healthy',
      attributes: {
        ...{ [own]: '1', [`${own}.version`]: facts.version },
        ...this.#driver.attributes(facts),
        ...this.#abilityOf(facts),
      },
    };
  }

  #abilityOf(facts: EngineFacts): Readonly<Record<string, string>> {
    const of = JSON.stringify(facts);
    if (this.#found.of !== of) {
      const found = { of, attributes: {} };
      this.#found = found;
      void this.#ability(facts).then(
        (attributes) => {
          found.attributes = attributes;
          this.lookNow();
        },
        // asked again at the next whole look
        () => {
          if (this.#found === found) this.#found = { of: '', attributes: {} };
        },
      );
    }
    return this.#found.attributes;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const end = (): void => woken.abort();
    signal.addEventListener('abort', end, { once: true });
    await sleep(pingEveryMs, undefined, { signal: woken.signal, ref: false }).catch(() => undefined);
    signal.removeEventListener('abort', end);
  }
}
