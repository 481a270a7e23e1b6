/** What a server asks a node before anything is started there, and what the node answers: why it would refuse the starts of a job's tasks. */
import type { Allocation } from './allocation.ts';
import type { Job } from './job.ts';

export interface RehearsalAsk {
  readonly Job: Job;
  /** One of each group in question, as it would be placed on that node; their own `Job` is null. */
  readonly Allocations: readonly Allocation[];
}

export interface TaskRehearsal {
  readonly Name: string;
  /** As the start would say it; empty: nothing that can be told before. */
  readonly Refusals: readonly string[];
  /** Why nobody could be asked; `""`: the node was asked. */
  readonly NotAsked: string;
}

export interface RehearsalAnswer {
  readonly Groups: readonly { readonly Name: string; readonly Tasks: readonly TaskRehearsal[] }[];
}
