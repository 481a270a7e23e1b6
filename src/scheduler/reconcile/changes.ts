/** What reconciling is given and what it says. */
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment, DeploymentState } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { DesiredUpdates } from '../../model/plan-annotations.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { Plan } from '../scheduler.ts';

export type UpdateKind = 'none' | 'in-place' | 'destructive';

export interface ReconcileInput {
  /** `undefined`: purged. */
  readonly job: Job | undefined;
  readonly allocations: readonly Allocation[];
  readonly latestDeployment: Deployment | undefined;
  readonly evaluationId: string;
  readonly priority: number;
  /** Unix nanoseconds. */
  readonly now: number;
  nodeOf(id: string): Node | undefined;
  /** What it takes to bring an allocation to the job's version. */
  updateKind(allocation: Allocation, group: TaskGroup): UpdateKind;
  isAwaited(evaluationId: string): boolean;
  newId(): string;
}

export interface Stop {
  readonly allocation: Allocation;
  readonly description: string;
  readonly lost: boolean;
}

export interface Place {
  readonly name: string;
  readonly group: TaskGroup;
  readonly previous: Allocation | null;
  /** `update` and `reschedule` stop the previous one once there is a place for the new one; the others do so anyhow. */
  readonly kind: 'new' | 'lost' | 'migrate' | 'reschedule' | 'update';
  /** It stands beside what it may replace one day. */
  readonly canary?: boolean;
  /** It runs what `previous` ran, not the job as it is now. */
  readonly keepsVersion?: boolean;
}

export interface Later {
  readonly allocation: Allocation;
  /** Unix nanoseconds. */
  readonly at: number;
}

export interface GroupChanges {
  readonly stops: readonly Stop[];
  readonly places: readonly Place[];
  readonly inPlace: readonly Allocation[];
  readonly later: readonly Later[];
  readonly desired: DesiredUpdates;
  /** The group's part of a deployment that has to be made. */
  readonly deploymentState: DeploymentState | null;
}

export interface Reconciled {
  readonly stops: readonly Stop[];
  readonly places: readonly Place[];
  readonly inPlace: readonly Allocation[];
  readonly later: readonly Later[];
  readonly desired: { readonly [group: string]: DesiredUpdates };
  readonly newDeployment: Deployment | null;
  /** The one that placements belong to: the new one, or the one going on. */
  readonly deployment: Deployment | null;
  readonly deploymentUpdates: Plan['deploymentUpdates'];
}

export const noUpdates: DesiredUpdates = {
  Ignore: 0,
  Place: 0,
  Migrate: 0,
  Stop: 0,
  InPlaceUpdate: 0,
  DestructiveUpdate: 0,
  Canary: 0,
  Preemptions: 0,
  Disconnect: 0,
  Reconnect: 0,
  RescheduleNow: 0,
  RescheduleLater: 0,
};
