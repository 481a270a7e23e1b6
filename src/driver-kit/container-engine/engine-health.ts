/** Whether the engine answers, asked often and told when it changes: a daemon that died or hangs is known within seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fingerprint } from '../../driver/contract.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { ContainerDriver, ContainerRules } from './container-driver.ts';
import { textAt } from './engine-answers.ts';
import { type EngineClient, tookTooLong } from './engine-client.ts';
import { type EngineFacts, readFacts } from './engine-facts.ts';

const pingEveryMs = 3_000;
const pingLimitMs = 4_000;
const fullEveryMs = 30_000;
/** A report does not wait longer for what the engine says of itself; a start does. */
const factsLimitMs = 8_000;
const startLimitMs = 60_000;
/** Every so many looks the engine is asked for more than a sign of life: one that answers nonsense is known within 10 s. */
const askEvery = 2;

/** What the engine is asked beside a sign of life. */
export interface OwnContainers {
  /** `"drover.owner=…"` */
  readonly label: string;
  /** Ids of those that run. */
  running(ids: ReadonlySet<string>): void;
  /** What the kit says of the node besides. */
  attributes(): Readonly<Record<string, string>>;
}

export class EngineHealth {
  readonly #client: EngineClient;
  readonly #driver: ContainerDriver;
  readonly #rules: ContainerRules;
  readonly #own: OwnContainers;
  readonly #ability: (facts: EngineFacts) => Promise<Readonly<Record<string, string>>>;
  #facts: EngineFacts | null = null;
  /** Of an engine that says these things of itself. */
  #found: { readonly of: string; attributes: Readonly<Record<string, string>> } = { of: '', attributes: {} };
  #reading: Promise<EngineFacts> | null = null;
  #looks = 0;
  #seen = false;
  #wake: () => void = () => {};

  /** `ability`: attributes that take seconds to be found out; they follow when they are there. */
  constructor(
    client: EngineClient,
    driver: ContainerDriver,
    rules: ContainerRules,
    own: OwnContainers,
    ability: (facts: EngineFacts) => Promise<Readonly<Record<string, string>>>,
  ) {
    this.#own = own;
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
    this.#facts ??= await readFacts(this.#client, startLimitMs, signal);
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
      if (answer.trim() !== 'OK') throw nonsense(answer);
      if (this.#looks++ % askEvery === 0) await this.#ask(signal);
      this.#facts = await this.#factsAfter(this.#facts, full, signal);
      this.#seen = true;
      return this.#healthy(this.#facts);
    } catch (error) {
      this.#looks = 0;
      this.#facts = null;
      return {
        health: this.#seen ? 'unhealthy' : 'undetected',
        description: `Failed to connect to ${this.#rules.engine} daemon: ${messageOf(error)}`,
        attributes: {},
      };
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const query = { filters: JSON.stringify({ label: [this.#own.label] }) };
    const call = { query, signal, timeoutMs: pingLimitMs };
    const rows = await this.#client.json('GET', '/containers/json', call).catch((error: unknown) => {
      if (isSlow(error)) return null;
      throw error;
    });
    if (rows === null) return;
    const ids = Array.isArray(rows) ? rows.map((row) => textAt(row, 'Id')) : [''];
    if (ids.includes('')) throw nonsense(JSON.stringify(rows));
    this.#own.running(new Set(ids));
  }

  /** An engine that is slow to tell what it knows of itself (podman asks its runtime) still is what it was when it told it last. */
  async #factsAfter(known: EngineFacts | null, full: boolean, signal: AbortSignal): Promise<EngineFacts> {
    if (known !== null && !full) return known;
    return this.#read(signal).catch((error: unknown) => {
      if (known !== null && isSlow(error)) return known;
      throw error;
    });
  }

  /** One reading at a time, which goes on where a look does not wait for its end. */
  async #read(signal: AbortSignal): Promise<EngineFacts> {
    this.#reading ??= readFacts(this.#client, startLimitMs, signal).finally(() => {
      this.#reading = null;
    });
    const limit = new AbortController();
    const late = sleep(factsLimitMs, undefined, { signal: limit.signal, ref: false }).then(() => {
      const said = `it has not told of itself within ${factsLimitMs / 1000} s`;
      throw new Fault('unavailable', said, { recoverable: true, cause: tookTooLong });
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#reading, late]);
    } finally {
      this.#reading?.catch(() => undefined);
      limit.abort();
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
        ...this.#own.attributes(),
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

function nonsense(answer: string): Fault {
  return new Fault('unavailable', `it answers nonsense: ${JSON.stringify(answer.slice(0, 60))}`);
}

function isSlow(error: unknown): boolean {
  return isFault(error) && error.cause === tookTooLong;
}
