import type { IsolationRung } from './isolation-ladder.ts';

/** What was really given to a task (isolation.md): reported as verified, never as requested. */
export interface IsolationReport {
  readonly rung: IsolationRung;
  readonly wanted: IsolationRung;
  readonly floor: IsolationRung;
  /** Lines demanded besides the floor's own; absent: none. */
  readonly required?: readonly string[];
  /** Which runtime isolates: `"bwrap 0.8.0"`, `"runc 1.1.5"`, `"none"`. */
  readonly runtime: string;
  readonly mechanisms: readonly {
    readonly name: string;
    readonly state: 'verified' | 'unavailable' | 'refused' | 'not_asked';
    readonly evidence: string;
    /** RFC 3339. */
    readonly checkedAt: string;
  }[];
}
