/** Why the groups of a job are, or are not, placed on each node, and what would isolate their tasks there. Answers of the API and `drover explain`. */
import type { DriverChoice } from './driver-choice.ts';
import type { IsolationRung } from './isolation-ladder.ts';

export interface JobExplanation {
  readonly JobID: string;
  readonly Namespace: string;
  readonly Groups: readonly GroupExplanation[];
}

export interface GroupExplanation {
  readonly Name: string;
  readonly Nodes: readonly NodePlacement[];
}

export interface NodePlacement {
  readonly NodeID: string;
  readonly NodeName: string;
  /** Empty: one more allocation of the group could be placed here now. */
  readonly Reasons: readonly { readonly Kind: string; readonly Text: string }[];
  readonly Tasks: readonly TaskPrediction[];
}

export interface TaskPrediction {
  readonly Name: string;
  /** Of a task of "auto": the one it would get; empty: none. */
  readonly Driver: string;
  /** Of a task of "auto". */
  readonly Choice?: DriverChoice;
  /** Empty: the driver does not tell how it isolates. */
  readonly Rung: IsolationRung | '';
  readonly Floor: IsolationRung;
  /** Lines the floor wants that the task would not get; then it is refused. */
  readonly Missing: readonly string[];
  /** Why its start would be refused where it is placed all the same, as the node itself says; empty: nothing that can be told before. */
  readonly Refusals: readonly string[];
  /** Why nobody was asked that; `""`: the node was. */
  readonly NotAsked: string;
  /** The next rung and everything between it and the task; null: there is none. */
  readonly Next: { readonly Rung: IsolationRung; readonly Lines: readonly MissingLine[] } | null;
}

export interface MissingLine {
  readonly Name: string;
  readonly Reason: string;
  readonly Fix: string;
}
