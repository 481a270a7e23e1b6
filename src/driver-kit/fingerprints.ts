/** The stream most drivers need: one report at once, another whenever it differs, looked at every `periodMs`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fingerprint } from '../driver/contract.ts';

const fingerprintPeriodMs = 30_000;

export async function* fingerprints(
  look: () => Fingerprint | Promise<Fingerprint>,
  signal: AbortSignal,
  periodMs = fingerprintPeriodMs,
): AsyncGenerator<Fingerprint> {
  while (!signal.aborted) {
    yield await look();
    try {
      await sleep(periodMs, undefined, { signal, ref: false });
    } catch {
      return;
    }
  }
}
