/** What an author's `fingerprint` answered, as a whole report. */
import type { Fingerprint, Health } from '../driver/contract.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import { wrongReturn } from './call-hook.ts';

const healths: readonly Health[] = ['undetected', 'unhealthy', 'healthy'];

/** What is left out is what a healthy driver says. `Fault('invalid')` naming what is wrong. */
export function checkedFingerprint(driver: string, version: string, given: unknown): Fingerprint {
  if (given !== undefined && (typeof given !== 'object' || given === null))
    throw wrongReturn(driver, 'fingerprint', 'an object such as { health: "healthy" }', given);
  const { health = 'healthy', description, attributes = {} } = (given ?? {}) as Partial<Fingerprint>;
  if (!healths.includes(health))
    throw wrongReturn(driver, 'fingerprint', `a "health" of ${healths.join(', ')}`, health);
  if (description !== undefined && typeof description !== 'string')
    throw wrongReturn(driver, 'fingerprint', '"description" as a text', description);
  const texts =
    typeof attributes === 'object' &&
    attributes !== null &&
    Object.values(attributes).every((each) => typeof each === 'string');
  if (!texts) throw wrongReturn(driver, 'fingerprint', '"attributes" as texts by name', attributes);
  const own = { [`driver.${driver}`]: '1', [`driver.${driver}.version`]: version };
  return {
    health,
    description: description ?? (health === 'healthy' ? 'Healthy' : health),
    attributes: health === 'undetected' ? {} : { ...own, ...attributes },
  };
}

/** `Fault('unsupported')` says that what the driver needs is not on this node; all else is an ailment. */
export function failedFingerprint(error: unknown): Fingerprint {
  return {
    health: isFault(error, 'unsupported') ? 'undetected' : 'unhealthy',
    description: messageOf(error),
    attributes: {},
  };
}
