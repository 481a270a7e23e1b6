/** Listens to what the drivers report about themselves and keeps the last report of each. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fingerprint } from '../../driver/contract.ts';
import { messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import type { DriverInfo } from '../../model/driver-info.ts';
import type { NodeEvent } from '../../model/node.ts';
import type { ClientDrivers } from '../client-driver.ts';
import { rfc3339 } from '../task-decide.ts';

export class DriverReports {
  readonly #drivers: ClientDrivers;
  readonly #listening = new Map<string, AbortController>();
  readonly #log: Log;
  readonly #now: () => number;
  readonly #changed: (event: NodeEvent | null) => void;
  readonly #reports = new Map<string, DriverInfo>();

  constructor(drivers: ClientDrivers, now: () => number, log: Log, changed: (event: NodeEvent | null) => void) {
    this.#drivers = drivers;
    this.#now = now;
    this.#log = log;
    this.#changed = changed;
  }

  all(): Readonly<Record<string, DriverInfo>> {
    return Object.fromEntries(this.#reports);
  }

  /** What each driver that is there takes as options, in base64. */
  schemas(): Readonly<Record<string, string>> {
    const found = [...this.#reports.keys()].flatMap((name) => {
      const bytes = this.#drivers.get(name)?.schemaBytes?.() ?? null;
      return bytes === null ? [] : [[name, Buffer.from(bytes).toString('base64')] as const];
    });
    return Object.fromEntries(found);
  }

  /** Of a driver that came later. */
  add(name: string, signal: AbortSignal): void {
    void this.#listen(name, signal);
  }

  /** Each of `names` (default: all) is asked anew, at once; what it takes as options may be other than it was. */
  again(signal: AbortSignal, names: readonly string[] = [...this.#listening.keys()]): void {
    this.#changed(null);
    for (const name of names) {
      this.#listening.get(name)?.abort();
      void this.#listen(name, signal);
    }
  }

  /** Its driver is gone: nothing is told of it any more. */
  remove(name: string): void {
    this.#listening.get(name)?.abort();
    this.#listening.delete(name);
    if (this.#reports.delete(name)) this.#changed(null);
  }

  /** Resolves when each driver has reported once, or after the limit. */
  async first(limitMs: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const started = [...this.#drivers.keys()].map((name) => this.#listen(name, signal));
    const limit = sleep(limitMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => undefined);
    await Promise.race([Promise.all(started), limit]);
    done.abort();
  }

  /** Resolves at the first report; goes on listening until the signal fires. */
  #listen(name: string, signal: AbortSignal): Promise<void> {
    const own = new AbortController();
    this.#listening.set(name, own);
    return new Promise((resolve) => {
      void this.#loop(name, AbortSignal.any([signal, own.signal]), resolve).finally(resolve);
    });
  }

  async #loop(name: string, signal: AbortSignal, reported: () => void): Promise<void> {
    const { engine } = this.#drivers.get(name)!;
    for (let failures = 0; !signal.aborted; ) {
      try {
        for await (const report of engine.fingerprint(signal)) {
          if (signal.aborted) return;
          failures = 0;
          this.#take(name, report);
          reported();
        }
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.#log.warn('a driver could not tell what it can do', { driver: name, error: messageOf(error) });
        const before = this.#reports.get(name)?.Detected ?? false;
        this.#take(name, {
          health: before ? 'unhealthy' : 'undetected',
          description: 'failed to fingerprint driver',
          attributes: {},
        });
        reported();
      }
      const pauseMs = failures === 0 ? 30_000 : Math.min(120_000, 5_000 * 2 ** (failures - 1));
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #take(name: string, report: Fingerprint): void {
    const before = this.#reports.get(name);
    const next: DriverInfo = {
      Attributes: infoAttributes(name, report.attributes),
      Detected: report.health !== 'undetected',
      Healthy: report.health === 'healthy',
      HealthDescription: report.description,
      UpdateTime: rfc3339(this.#now()),
    };
    if (before !== undefined && sameReport(before, next)) return;
    this.#reports.set(name, next);
    const turned = before !== undefined && before.Healthy !== next.Healthy;
    this.#changed(turned ? driverEvent(name, next) : null);
  }
}

/** A truth value in the driver's own list; in the node's attributes the same one is "1", as Nomad has it. */
function infoAttributes(name: string, attributes: Fingerprint['attributes']): Fingerprint['attributes'] {
  const own = `driver.${name}`;
  return attributes[own] === '1' ? { ...attributes, [own]: 'true' } : attributes;
}

function sameReport(a: DriverInfo, b: DriverInfo): boolean {
  return JSON.stringify({ ...a, UpdateTime: '' }) === JSON.stringify({ ...b, UpdateTime: '' });
}

function driverEvent(name: string, report: DriverInfo): NodeEvent {
  return {
    Message: report.HealthDescription,
    Subsystem: 'Driver',
    Details: { driver: name },
    Timestamp: report.UpdateTime,
    CreateIndex: 0,
  };
}

/** Nomad's client options `driver.allowlist` and `driver.denylist` (and their older names). */
export function allowedDriver(options: Readonly<Record<string, string>>): (name: string) => boolean {
  const named = (...keys: string[]): ReadonlySet<string> =>
    new Set(
      keys
        .flatMap((key) => (options[key] ?? '').split(','))
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    );
  const allow = named('driver.allowlist', 'driver.whitelist');
  const deny = named('driver.denylist', 'driver.blacklist');
  return (name) => (allow.size === 0 || allow.has(name)) && !deny.has(name);
}
