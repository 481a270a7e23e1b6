/** What comes out of the guest: a line of JSON each. */
import type { IsolationReport } from '../../src/driver/contract.ts';
import type { ProbeResult } from '../../src/isolation/mechanisms/probe.ts';
import type { Attempt } from '../security/attack-program.ts';

export type GuestRung = 'container' | 'sandbox' | 'process';

export interface GuestPlace {
  readonly who: 'root' | 'user';
  readonly rung: GuestRung;
}

/** The rungs that tasks of the suite are started at. */
export function triedRungs(who: GuestPlace['who'], which: 'some' | 'all'): readonly GuestRung[] {
  if (which === 'all') return who === 'root' ? ['container', 'sandbox', 'process'] : ['container', 'sandbox'];
  return who === 'root' ? ['container', 'sandbox'] : ['sandbox'];
}

export type Found =
  /** `why` empty: it holds. */
  | { readonly kind: 'check'; readonly name: string; readonly why: string; readonly ms: number }
  | { readonly kind: 'probes'; readonly who: GuestPlace['who']; readonly probes: readonly ProbeResult[] }
  /** Names of attacks that took effect where nothing protects. */
  | { readonly kind: 'control'; readonly proven: readonly string[] }
  | {
      readonly kind: 'attacks';
      readonly place: GuestPlace;
      readonly report: IsolationReport;
      readonly attempts: readonly Attempt[];
      readonly ms: number;
    };
