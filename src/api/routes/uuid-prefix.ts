import { Fault } from '../../lib/fault.ts';
import type { ApiRequest } from '../request.ts';

/** A prefix of an id is hexadecimal; the reference's words for one that is not. `noun`: `"node"`. */
export function checkUuidPrefix({ query }: ApiRequest, noun: string): void {
  const bad = /[^0-9a-f-]/i.exec(query.text('prefix'))?.[0];
  if (bad === undefined) return;
  const code = bad.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new Fault(
    'invalid',
    `${noun} lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+${code} '${bad}'`,
    { status: 500 },
  );
}
