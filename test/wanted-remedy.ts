/** What the doctor has to advise on a host; the host that has such a row is the proof of that kind of remedy (docs/remedies.md). */
import type { RemedyKind } from '../src/isolation/remedy.ts';

export interface WantedRemedy {
  readonly kind: RemedyKind;
  readonly command: RegExp;
}

export const advises = (kind: RemedyKind, command: RegExp): WantedRemedy => ({ kind, command });
