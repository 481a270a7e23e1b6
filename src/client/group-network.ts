/**
 * The network of one allocation over its life.
 *
 *   none ─open─▶ there ─leave─▶ gone       find: there at once, where a former life of the agent made it
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineDriver } from '../driver/contract.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Allocation } from '../model/allocation.ts';
import type { TaskGroup } from '../model/task-group.ts';
import {
  type AllocationNetwork,
  type AllocationNetworks,
  type NetworkWish,
  networkMaker,
  networkWay,
  networkWish,
} from './allocation-networks.ts';

export interface GroupNetworkOptions {
  /** Null: this node makes none. */
  readonly networks: AllocationNetworks | null;
  /** Ports are published on every address of the host. */
  readonly wildcard: boolean;
  engine(driver: string): EngineDriver | undefined;
  readonly log: Log;
}

/** A port may still be an ended allocation's, which lets go of it within moments. */
const tries = 8;
const longestWaitMs = 600_000;

export class GroupNetwork {
  readonly #allocId: string;
  readonly #options: GroupNetworkOptions;
  #made: AllocationNetwork | null;
  /** The driver that made it. */
  #maker: string | null = null;
  #opened = false;

  constructor(allocId: string, options: GroupNetworkOptions) {
    this.#allocId = allocId;
    this.#options = options;
    this.#made = options.networks?.find(allocId) ?? null;
  }

  /** Also after it is gone: the API still shows it. */
  get made(): AllocationNetwork | null {
    return this.#made;
  }

  /** Resolves when tasks may join it. Faults: what is not served here, or what could not be made. */
  async open(alloc: Allocation, group: TaskGroup, tasksRun: boolean, signal: AbortSignal): Promise<void> {
    const engine = (driver: string): EngineDriver | undefined => this.#options.engine(driver);
    this.#opened = true;
    const { networks, wildcard } = this.#options;
    const way = networkWay(alloc, group, { makes: networks !== null, wildcard, engine }, tasksRun);
    if (way?.by === 'driver') this.#made = await this.#byDriver(way.driver, engine(way.driver)!, group, signal);
    else if (way !== null && networks !== null) this.#made = await this.#ensure(networks, way.wish, signal);
    else if (tasksRun && networks === null && networkWish(alloc, group, wildcard) !== null)
      this.#options.log.error('networks cannot be made here any more; the tasks of an allocation keep theirs', {
        alloc: this.#allocId,
      });
  }

  async #ensure(networks: AllocationNetworks, wish: NetworkWish, signal: AbortSignal): Promise<AllocationNetwork> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await networks.ensure(wish);
      } catch (error) {
        if (attempt === tries || !isFault(error) || !error.recoverable || signal.aborted) throw error;
        this.#options.log.warn('a network could not be made yet', {
          alloc: this.#allocId,
          attempt,
          error: messageOf(error),
        });
        await sleep(250 * attempt, undefined, { signal });
      }
    }
  }

  async #findByDriver(group: TaskGroup): Promise<void> {
    const engine = (driver: string): EngineDriver | undefined => this.#options.engine(driver);
    const maker = networkMaker(group, (driver) => engine(driver)?.createNetwork !== undefined);
    if (maker === null) return;
    for (let attempt = 1; ; attempt++) {
      try {
        this.#made = await this.#byDriver(maker, engine(maker)!, group, AbortSignal.timeout(300_000));
        return;
      } catch (error) {
        // its plugin may start more slowly than the agent
        if (attempt === tries || !isFault(error) || !error.recoverable) throw error;
        await sleep(500 * attempt);
      }
    }
  }

  /** Again after a restart of the agent: the driver says what is there. */
  async #byDriver(
    maker: string,
    engine: EngineDriver,
    group: TaskGroup,
    signal: AbortSignal,
  ): Promise<AllocationNetwork> {
    const hostname = group.Networks?.[0]?.Hostname ?? '';
    const { network } = await engine.createNetwork!(this.#allocId, hostname, signal);
    this.#maker = maker;
    return { path: network.path, interfaceName: '', address: network.hosts?.address ?? '', egress: '', own: network };
  }

  /**
   * Resolves when nothing is left of it, or it was logged why something is: it is tried again while the agent lives, and by its next start.
   * `begun`: the group whose tasks ran in a former life of the agent; null: none did. A driver's network of then is only known to the driver.
   */
  async leave(begun: TaskGroup | null, againMs = 5_000): Promise<void> {
    try {
      if (!this.#opened && begun !== null) await this.#findByDriver(begun);
      const own = this.#made?.own;
      if (own !== undefined && this.#maker !== null)
        await this.#options.engine(this.#maker)?.destroyNetwork?.(this.#allocId, own, AbortSignal.timeout(300_000));
      else await this.#options.networks?.release(this.#allocId);
    } catch (error) {
      this.#options.log.error('the network of an ended allocation could not be removed', {
        alloc: this.#allocId,
        error: messageOf(error),
      });
      const again = (): void => void this.leave(begun, Math.min(2 * againMs, longestWaitMs));
      setTimeout(again, againMs).unref();
    }
  }
}
