/** Signal names ↔ numbers of this system. */
import { constants } from 'node:os';
import { Fault } from '../lib/fault.ts';

/** What a stop sends where the job names no signal. */
export const defaultKillSignal = 'SIGINT';

/** `"SIGHUP"`, `"hup"` or `"1"` → 1; null: no such signal here. */
export function signalNumber(name: string): number | null {
  if (/^\d{1,2}$/.test(name)) return Number(name) >= 1 && Number(name) <= 64 ? Number(name) : null;
  const upper = name.toUpperCase();
  const known = constants.signals as Readonly<Record<string, number>>;
  return known[upper] ?? known[`SIG${upper}`] ?? null;
}

/** `"SIGTERM"` → 15 on Linux; `Fault('invalid')` for what this system does not know. */
export function requireSignal(name: string): number {
  const number = signalNumber(name);
  if (number === null) throw new Fault('invalid', `${JSON.stringify(name)} is no signal of this system`);
  return number;
}
