/**
 * A driver whose plugin is a program of its own: started when first needed, started again when it died, found again after a crash of
 * the agent. Its tasks live on between; whoever waits for them is told that the plugin is gone and asks again.
 *
 *   down ──(somebody asks, back-off over)──▶ opening ──▶ up ──(process ended)──▶ down
 *                                              └──(failed)──▶ down, with the reason and a longer back-off
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeThroughSpec } from '../../driver/config-chain.ts';
import type { Decoded } from '../../driver/config-decode.ts';
import type { DriverInfo, EngineDriver, Fingerprint } from '../../driver/contract.ts';
import type { SpecNode } from '../../driver/spec-tree.ts';
import type { Value } from '../../hcl/index.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { type LaunchedPlugin, type LaunchOptions, launchPlugin, reattachPlugin } from './launch-plugin.ts';
import { type OpenPlugin, openPlugin } from './open-plugin.ts';
import { collectOutput, endCollection } from './output-collector.ts';

export interface ExternalDriverOptions extends LaunchOptions {
  /** The program's file name: what the driver is called until it has said its own name. */
  readonly fileName: string;
  /** The operator's options as written. */
  readonly config: unknown;
  readonly deps: DriverDeps;
}

export interface ExternalDriver {
  readonly engine: EngineDriver;
  /** The reason why it is not up; null: it is. */
  readonly problem: string | null;
  /** Resolves when the first attempt is over, however it went. */
  open(): Promise<void>;
  decodeConfig(config: Readonly<Record<string, unknown>>): Decoded<unknown>;
  decodeTemplates(config: Readonly<Record<string, unknown>>, variables: ReadonlyMap<string, Value>): Decoded<unknown>;
  /** `kill`: the plugin's process ends (its tasks stay). */
  close(): Promise<void>;
}

interface Up extends OpenPlugin {
  readonly process: LaunchedPlugin;
}

const firstBackoffMs = 500;
const longestBackoffMs = 120_000;
const shutdownMs = 2_000;

export function externalDriver(options: ExternalDriverOptions): ExternalDriver {
  return new External(options);
}

class External implements ExternalDriver {
  readonly engine: EngineDriver;
  problem: string | null = 'it was not started yet';
  readonly #options: ExternalDriverOptions;
  readonly #life = new AbortController();
  #up: Up | null = null;
  #opening: Promise<Up> | null = null;
  #failures = 0;
  #notBefore = 0;
  #last: OpenPlugin | null = null;

  constructor(options: ExternalDriverOptions) {
    this.#options = options;
    this.engine = engineOf(this, options.deps, () => this.#last, options.fileName);
  }

  async open(): Promise<void> {
    await this.current().catch(() => {});
  }

  /** The driver of a plugin that runs. `Fault('unavailable')`, worth trying again, while it does not. */
  async current(): Promise<EngineDriver> {
    if (this.#life.signal.aborted) throw new Fault('unavailable', 'the agent is stopping');
    if (this.#up !== null) return this.#up.driver;
    if (this.#opening === null) {
      if (Date.now() < this.#notBefore)
        throw new Fault('unavailable', `plugin ${this.#options.fileName}: ${this.problem}`, { recoverable: true });
      this.#opening = this.#start().finally(() => {
        this.#opening = null;
      });
    }
    return (await this.#opening).driver;
  }

  async #start(): Promise<Up> {
    const { log, fileName } = this.#options;
    try {
      const up = await this.#connect();
      this.#up = up;
      this.#last = up;
      this.problem = null;
      const startedAt = Date.now();
      void up.process.ended.then(() => this.#died(up, startedAt));
      log.info('a plugin is up', { plugin: fileName, pid: up.process.pid, found_again: up.process.reattached });
      return up;
    } catch (error) {
      this.#failed(messageOf(error));
      log.error('a plugin cannot be used', { plugin: fileName, reason: this.problem });
      throw isFault(error)
        ? new Fault('unavailable', `plugin ${fileName}: ${error.message}`, { cause: error, recoverable: true })
        : error;
    }
  }

  async #connect(): Promise<Up> {
    const found = await reattachPlugin(this.#options);
    if (found !== null) {
      try {
        return await this.#configure(found);
      } catch (error) {
        this.#options.log.warn('a plugin found again does not answer; it is started anew', {
          reason: messageOf(error),
        });
      }
    }
    return this.#configure(await launchPlugin(this.#options, this.#life.signal));
  }

  async #configure(process: LaunchedPlugin): Promise<Up> {
    try {
      const { config } = this.#options;
      const opened = await openPlugin(
        { target: process.target, config, configured: process.reattached },
        AbortSignal.any([this.#life.signal, endOf(process)]),
      );
      return { ...opened, process };
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  #died(up: Up, startedAt: number): void {
    if (this.#up !== up) return;
    this.#up = null;
    if (this.#life.signal.aborted) return;
    // one that ran for a while is started again at once
    if (Date.now() - startedAt > 60_000) this.#failures = 0;
    this.#failed('the plugin ended');
    this.#options.log.warn('a plugin ended; it is started again', { plugin: this.#options.fileName });
    void up.driver.close();
    void sleep(Math.max(0, this.#notBefore - Date.now()), undefined, { signal: this.#life.signal, ref: false })
      .then(() => this.open())
      .catch(() => {});
  }

  #failed(reason: string): void {
    this.problem = reason;
    const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** this.#failures++);
    this.#notBefore = Date.now() + backoffMs;
  }

  decodeConfig(config: Readonly<Record<string, unknown>>): Decoded<unknown> {
    return this.decodeTemplates(config, new Map());
  }

  decodeTemplates(config: Readonly<Record<string, unknown>>, variables: ReadonlyMap<string, Value>): Decoded<unknown> {
    const spec: SpecNode | undefined = this.#last?.taskSpec;
    // not a fault of the job: it can be tried again
    if (spec === undefined)
      throw new Fault('unavailable', `plugin ${this.#options.fileName}: ${this.problem}`, { recoverable: true });
    const decoded = decodeThroughSpec(config, spec, variables);
    return decoded.ok ? { ok: true, value: decoded.msgpack } : decoded;
  }

  async close(): Promise<void> {
    this.#life.abort();
    const up = this.#up;
    this.#up = null;
    if (up === null) return;
    await up.driver.close();
    await Promise.race([up.process.stop(), sleep(2 * shutdownMs + 500, undefined, { ref: false })]);
  }
}

function endOf(process: LaunchedPlugin): AbortSignal {
  const controller = new AbortController();
  void process.ended.then(() => controller.abort(new Fault('unavailable', 'the plugin ended')));
  return controller.signal;
}

/** Every hook asks for the plugin that runs now; what it declares and which optional hooks it has is what it last said. */
function engineOf(external: External, deps: DriverDeps, last: () => OpenPlugin | null, fileName: string): EngineDriver {
  const now = (): Promise<EngineDriver> => external.current();
  const unknown: DriverInfo = { name: fileName, version: '0.0.0', filesystem: 'none', networkModes: [], mounts: false };
  const hooks = {
    get info() {
      return last()?.driver.info ?? unknown;
    },
    fingerprint: (signal: AbortSignal) => fingerprints(external, signal),
    start: async (...[task, signal]: Parameters<EngineDriver['start']>) => {
      const driver = await now();
      return driver.start(await collectOutput(deps, task), signal);
    },
    recover: async (...[task, state, signal]: Parameters<EngineDriver['recover']>) => {
      const driver = await now();
      return driver.recover(await collectOutput(deps, task), state, signal);
    },
    wait: async (...given: Parameters<EngineDriver['wait']>) => (await now()).wait(...given),
    stop: async (...given: Parameters<EngineDriver['stop']>) => (await now()).stop(...given),
    destroy: async (...given: Parameters<EngineDriver['destroy']>) => {
      try {
        await (await now()).destroy(...given);
      } finally {
        await endCollection(deps, given[0]);
      }
    },
    inspect: async (...given: Parameters<EngineDriver['inspect']>) => (await now()).inspect(...given),
    stats: async (...given: Parameters<NonNullable<EngineDriver['stats']>>) => (await now()).stats!(...given),
    async *events(signal: AbortSignal) {
      yield* (await now()).events!(signal);
    },
    get signal() {
      if (last()?.driver.signal === undefined) return undefined;
      return async (...given: Parameters<NonNullable<EngineDriver['signal']>>) => (await now()).signal!(...given);
    },
    get exec() {
      if (last()?.driver.exec === undefined) return undefined;
      return async (...given: Parameters<NonNullable<EngineDriver['exec']>>) => (await now()).exec!(...given);
    },
    close: () => external.close(),
  };
  return hooks as EngineDriver;
}

/** Goes on over the plugin's deaths: between them the driver is unhealthy, with the reason. */
async function* fingerprints(external: External, signal: AbortSignal): AsyncGenerator<Fingerprint> {
  while (!signal.aborted) {
    try {
      yield* (await external.current()).fingerprint(signal);
    } catch {
      // said below
    }
    if (signal.aborted) return;
    if (external.problem !== null) yield { health: 'unhealthy', description: external.problem, attributes: {} };
    await sleep(1_000, undefined, { signal, ref: false }).catch(() => {});
  }
}
