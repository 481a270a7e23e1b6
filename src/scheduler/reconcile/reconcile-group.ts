import type { Allocation } from '../../model/allocation.ts';
import type { Deployment, DeploymentState } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { allocationText } from '../descriptions.ts';
import { isTerminal } from '../fit.ts';
import { AllocationNames, highest } from './allocation-names.ts';
import { type GroupChanges, type Later, noUpdates, type Place, type ReconcileInput, type Stop } from './changes.ts';
import { classify, standing } from './classify.ts';
import { type DeploymentScope, newGroupState, rollingUpdate } from './deployments.ts';
import { rescheduleOf } from './reschedule.ts';

/** The allocations of a group, by what is to become of them. */
interface Sorted {
  /** They have their place in the group. */
  readonly counts: readonly Allocation[];
  readonly migrate: readonly Allocation[];
  readonly lost: readonly Allocation[];
  readonly retryNow: readonly Allocation[];
  readonly retryLater: readonly Later[];
  readonly ignored: number;
}

export function reconcileGroup(
  job: Job,
  group: TaskGroup,
  members: readonly Allocation[],
  input: ReconcileInput,
  scope: DeploymentScope,
): GroupChanges {
  const sorted = sort(job, group, members, input, scope.current);
  const surplus = stopSurplus(group, sorted);
  const gone = new Set(surplus.map(({ allocation }) => allocation.ID));
  const counts = sorted.counts.filter(({ ID }) => !gone.has(ID));
  const migrate = sorted.migrate.filter(({ ID }) => !gone.has(ID));

  const inPlace: Allocation[] = [];
  const destructive: Allocation[] = [];
  for (const allocation of counts) {
    const kind = input.updateKind(allocation, group);
    if (kind === 'in-place') inPlace.push(allocation);
    if (kind === 'destructive') destructive.push(allocation);
  }

  const wanted = fill(job, group, { ...sorted, counts, migrate });
  // It was to be tried elsewhere, but nobody wants it any more.
  const retried = new Set(wanted.map(({ previous }) => previous?.ID));
  const forsaken = sorted.retryNow.filter((allocation) => !isTerminal(allocation) && !retried.has(allocation.ID));
  const hold = holdOf(scope.current);
  const places = hold === null ? wanted : wanted.filter((place) => mayPlace(place, scope.current!, hold));
  const budget = updateBudget(job, group, counts, destructive.length + migrate.length, scope.current);
  const updates = hold === null ? destructive.slice(0, Math.max(0, budget - places.length)) : [];
  const rescheduled = places.filter(({ kind }) => kind === 'reschedule').length;
  const stops: Stop[] = [
    ...sorted.lost.map((allocation) => ({ allocation, description: allocationText.lost, lost: true })),
    ...surplus,
    ...forsaken.map(notNeeded),
    ...migrate.map((allocation) => ({ allocation, description: allocationText.migrating, lost: false })),
  ];
  return {
    stops,
    places: [
      ...updates.map((previous) => ({ name: previous.Name, group, previous, kind: 'update' as const })),
      ...places,
      ...migrate.map((previous) => ({ name: previous.Name, group, previous, kind: 'migrate' as const })),
    ],
    inPlace,
    later: sorted.retryLater,
    deploymentState: stateOfNewDeployment(job, group, members, scope.current, {
      changed: inPlace.length + destructive.length,
      placed: places.length,
    }),
    desired: {
      ...noUpdates,
      Place: places.length,
      Stop: sorted.lost.length + surplus.length + forsaken.length + rescheduled,
      Migrate: migrate.length,
      InPlaceUpdate: inPlace.length,
      DestructiveUpdate: updates.length,
      Ignore: counts.length - inPlace.length - updates.length + sorted.ignored,
      RescheduleNow: rescheduled,
      RescheduleLater: sorted.retryLater.length,
    },
  };
}

function sort(
  job: Job,
  group: TaskGroup,
  members: readonly Allocation[],
  input: ReconcileInput,
  deployment: Deployment | null,
): Sorted {
  const isBatch = job.Type === 'batch';
  // What an older version of a batch job did does not count for this one.
  const isOld = (allocation: Allocation): boolean =>
    isTerminal(allocation) && (allocation.JobVersion < job.Version || allocation.CreateIndex < job.CreateIndex);
  const current = isBatch ? members.filter((allocation) => !isOld(allocation)) : members;
  const { untainted, migrate, lost: away } = classify(current, input.nodeOf);
  const lost = away.filter(({ NodeID }) => replacesLost(group) || input.nodeOf(NodeID) === undefined);
  const counts = away.filter((allocation) => !lost.includes(allocation));
  const retryNow: Allocation[] = [];
  const retryLater: Later[] = [];
  for (const allocation of untainted) {
    const is = standing(allocation, isBatch);
    if (is === 'counts') counts.push(allocation);
    // Replaced already: the one that came after it counts.
    if (is !== 'failed' || (allocation.NextAllocation !== '' && isTerminal(allocation))) continue;
    const retry = rescheduleOf(allocation, group.ReschedulePolicy, {
      ...input,
      deployment,
      isAwaited: input.isAwaited,
    });
    if (retry.when === 'now') retryNow.push(allocation);
    else counts.push(allocation);
    if (retry.when === 'later') retryLater.push({ allocation, at: retry.at });
  }
  return { counts, migrate, lost, retryNow, retryLater, ignored: members.length - current.length };
}

/** More than the group wants: failed ones go first, then those that are on their way, then the highest names. */
function stopSurplus(group: TaskGroup, { counts, migrate }: Sorted): readonly Stop[] {
  const surplus = counts.length + migrate.length - group.Count;
  if (surplus <= 0) return [];
  const failed = highest(
    counts.filter(({ ClientStatus }) => ClientStatus === 'failed'),
    surplus,
  );
  const leaving = highest(migrate, surplus - failed.length);
  const running = counts.filter((allocation) => !isTerminal(allocation));
  const others = highest(running, surplus - failed.length - leaving.length);
  return [...failed, ...leaving, ...others].map(notNeeded);
}

const notNeeded = (allocation: Allocation): Stop => ({
  allocation,
  description: allocationText.notNeeded,
  lost: false,
});

/** Fills the group up to its count: failed ones again, lost ones anew, then new names. */
function fill(job: Job, group: TaskGroup, { counts, migrate, lost, retryNow }: Sorted): readonly Place[] {
  let room = group.Count - counts.length - migrate.length;
  const places: Place[] = [];
  const names = new AllocationNames(job.ID, group.Name, [...counts, ...migrate]);
  const replace = (previous: Allocation, kind: Place['kind']): void => {
    if (room <= 0) return;
    room--;
    places.push({ name: names.take(previous.Name), group, previous, kind });
  };
  for (const previous of retryNow) replace(previous, 'reschedule');
  for (const previous of lost) replace(previous, 'lost');
  for (const name of names.next(room)) places.push({ name, group, previous: null, kind: 'new' });
  return places;
}

/** Without this, an allocation keeps its place while its node is away, for as long as the node is known at all. */
function replacesLost(group: TaskGroup): boolean {
  return !group.PreventRescheduleOnLost && (group.Disconnect?.Replace ?? true);
}

/** A deployment that is paused or failed holds new work back. */
function holdOf(deployment: Deployment | null): 'paused' | 'failed' | null {
  if (deployment?.Status === 'failed') return 'failed';
  return deployment?.Status === 'paused' || deployment?.Status === 'pending' ? 'paused' : null;
}

/** Lost allocations are replaced all the same, failed ones unless they are what the deployment failed of. */
function mayPlace({ kind, previous }: Place, deployment: Deployment, hold: 'paused' | 'failed'): boolean {
  if (kind === 'lost') return true;
  return kind === 'reschedule' && (hold === 'paused' || previous!.DeploymentID !== deployment.ID);
}

/** How many may be replaced at once: what the update allows, less those whose health nobody knows yet; none while one is unhealthy. */
function updateBudget(
  job: Job,
  group: TaskGroup,
  counts: readonly Allocation[],
  leaving: number,
  deployment: Deployment | null,
): number {
  const update = rollingUpdate(job, group);
  if (update === null || leaving === 0) return Number.POSITIVE_INFINITY;
  if (deployment === null) return update.MaxParallel;
  const health = counts
    .filter(({ DeploymentID }) => DeploymentID === deployment.ID)
    .map(({ DeploymentStatus }) => DeploymentStatus?.Healthy ?? null);
  if (health.includes(false)) return 0;
  return update.MaxParallel - health.filter((healthy) => healthy === null).length;
}

/** A deployment is made for the first run of a version, and for every change of what runs. */
function stateOfNewDeployment(
  job: Job,
  group: TaskGroup,
  members: readonly Allocation[],
  current: Deployment | null,
  work: { readonly changed: number; readonly placed: number },
): DeploymentState | null {
  const update = rollingUpdate(job, group);
  const total = work.changed + work.placed;
  if (update === null || total === 0 || current !== null) return null;
  const ranBefore = members.some(
    ({ JobVersion, CreateIndex }) => JobVersion === job.Version && CreateIndex >= job.CreateIndex,
  );
  return ranBefore && work.changed === 0 ? null : newGroupState(update, total);
}
