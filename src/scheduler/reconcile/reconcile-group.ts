import type { Allocation } from '../../model/allocation.ts';
import type { Deployment, DeploymentState } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { allocationText } from '../descriptions.ts';
import { isTerminal } from '../fit.ts';
import { AllocationNames, doubles, highest } from './allocation-names.ts';
import { reconcileCanaries, splitCanaries, stopAbandoned, wantedCanaries } from './canaries.ts';
import {
  type GroupChanges,
  noUpdates,
  type Place,
  type ReconcileInput,
  type Stop,
  type UpdateKind,
} from './changes.ts';
import { type DeploymentScope, newGroupState, rollingUpdate } from './deployments.ts';
import { type Sorted, sort } from './sort.ts';

export function reconcileGroup(
  job: Job,
  group: TaskGroup,
  members: readonly Allocation[],
  input: ReconcileInput,
  { current }: DeploymentScope,
): GroupChanges {
  const split = splitCanaries(members, current);
  const sorted = sort(job, group, split.ordinary, input, current);
  const canaries = sort(job, group, split.canaries, input, current);
  const surplus = stopSurplus(group, sorted);
  const gone = new Set(surplus.map(({ allocation }) => allocation.ID));
  const counts = sorted.counts.filter(({ ID }) => !gone.has(ID));
  const migrate = sorted.migrate.filter(({ ID }) => !gone.has(ID));
  const updates = updatesOf(counts, (allocation) => input.updateKind(allocation, group));
  const desiredCanaries = wantedCanaries(job, group, current, updates.destructive);
  const hold = holdOf(current, desiredCanaries);
  const more = hold === 'canaries' ? desiredCanaries : 0;
  const beside = reconcileCanaries(job, group, canaries, updates.destructive, more);
  const names = new AllocationNames(job.ID, group.Name, [...counts, ...migrate]);
  const wanted = fill(group, { ...sorted, counts, migrate }, names);
  const forsaken = forsakenOf(sorted.retryNow, wanted);
  const places = hold === null ? wanted : wanted.filter((place) => mayPlace(place, current, hold));
  const budget = updateBudget(job, group, counts, updates.destructive.length + migrate.length, current);
  const replaced = hold === null ? updates.destructive.slice(0, Math.max(0, budget - places.length)) : [];
  // Until the new version is promoted, what replaces the old one is of the old one.
  const keepsVersion = desiredCanaries > 0;
  const nameAfter = namesAfter([...counts, ...migrate], names);
  const after = (previous: Allocation, kind: 'update' | 'migrate'): Place => {
    const place = { name: nameAfter(previous), group, previous, kind };
    return kind === 'migrate' ? { ...place, keepsVersion } : place;
  };
  const stops: Stop[] = [
    ...sorted.lost.map((allocation) => ({ allocation, description: allocationText.lost, lost: true })),
    ...stopAbandoned(split.abandoned, input.nodeOf),
    ...surplus,
    ...forsaken.map(notNeeded),
    ...beside.stops,
  ];
  const rescheduled = [...places, ...beside.places].filter(({ kind }) => kind === 'reschedule').length;
  return {
    stops: [...stops, ...migrate.map(migrating)],
    places: [
      ...replaced.map((previous) => after(previous, 'update')),
      ...places.map((place) => ({ ...place, keepsVersion })),
      ...migrate.map((previous) => after(previous, 'migrate')),
      ...beside.places,
    ],
    inPlace: updates.inPlace,
    later: [...sorted.retryLater, ...canaries.retryLater],
    deploymentState: stateOfNewDeployment(job, group, members, current, {
      changed: updates.inPlace.length + updates.destructive.length,
      placed: wanted.length,
      canaries: desiredCanaries,
    }),
    desired: {
      ...noUpdates,
      Place: places.length,
      Canary: beside.places.filter(({ kind }) => kind === 'new').length,
      Stop: stops.length + rescheduled,
      Migrate: migrate.length,
      InPlaceUpdate: updates.inPlace.length,
      DestructiveUpdate: replaced.length,
      Ignore: counts.length - updates.inPlace.length - replaced.length + sorted.ignored + canaries.counts.length,
      RescheduleNow: rescheduled,
      RescheduleLater: sorted.retryLater.length + canaries.retryLater.length,
    },
  };
}

/** They were to be tried elsewhere, but nobody wants them any more. */
function forsakenOf(retryNow: readonly Allocation[], wanted: readonly Place[]): readonly Allocation[] {
  const retried = new Set(wanted.map(({ previous }) => previous));
  return retryNow.filter((allocation) => !isTerminal(allocation) && !retried.has(allocation));
}

interface Updates {
  readonly inPlace: readonly Allocation[];
  readonly destructive: readonly Allocation[];
}

function updatesOf(counts: readonly Allocation[], kindOf: (allocation: Allocation) => UpdateKind): Updates {
  const kinds = counts.map((allocation) => [allocation, kindOf(allocation)] as const);
  const of = (wanted: UpdateKind): readonly Allocation[] =>
    kinds.filter(([, kind]) => kind === wanted).map(([allocation]) => allocation);
  return { inPlace: of('in-place'), destructive: of('destructive') };
}

/** The name of what comes after an allocation: its own, unless a promoted canary has that already. */
function namesAfter(there: readonly Allocation[], names: AllocationNames): (previous: Allocation) => string {
  const doubled = new Set(doubles(there));
  return (previous) => (doubled.has(previous) ? names.next(1)[0]! : previous.Name);
}

/**
 * More than the group wants: of several with one name all but one (canaries that were promoted have the names of what they replace), then
 * failed ones, then those that are on their way, then the highest names.
 */
function stopSurplus(group: TaskGroup, { counts, migrate }: Sorted): readonly Stop[] {
  const surplus = counts.length + migrate.length - group.Count;
  if (surplus <= 0) return [];
  const chosen = new Set<Allocation>();
  const choose = (from: readonly Allocation[]): void => {
    const left = from.filter((allocation) => !chosen.has(allocation));
    for (const allocation of highest(left, surplus - chosen.size)) chosen.add(allocation);
  };
  const running = counts.filter((allocation) => !isTerminal(allocation));
  choose(doubles([...running, ...migrate]));
  choose(counts.filter(({ ClientStatus }) => ClientStatus === 'failed'));
  choose(migrate);
  choose(running);
  return [...chosen].map(notNeeded);
}

const migrating = (allocation: Allocation): Stop => ({
  allocation,
  description: allocationText.migrating,
  lost: false,
});

const notNeeded = (allocation: Allocation): Stop => ({
  allocation,
  description: allocationText.notNeeded,
  lost: false,
});

/** Fills the group up to its count: failed ones again, lost ones anew, then new names. */
function fill(group: TaskGroup, { counts, migrate, lost, retryNow }: Sorted, names: AllocationNames): readonly Place[] {
  let room = group.Count - counts.length - migrate.length;
  const places: Place[] = [];
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

type Hold = 'paused' | 'failed' | 'canaries';

/** A deployment that is paused or failed, or whose canaries are not promoted, holds new work back. */
function holdOf(deployment: Deployment | null, desiredCanaries: number): Hold | null {
  if (deployment?.Status === 'failed') return 'failed';
  if (deployment?.Status === 'paused' || deployment?.Status === 'pending') return 'paused';
  return desiredCanaries > 0 ? 'canaries' : null;
}

/** Lost allocations are replaced all the same, failed ones unless they are what the deployment failed of. */
function mayPlace({ kind, previous }: Place, deployment: Deployment | null, hold: Hold): boolean {
  if (kind === 'lost') return true;
  return kind === 'reschedule' && (hold !== 'failed' || previous!.DeploymentID !== deployment!.ID);
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
  work: { readonly changed: number; readonly placed: number; readonly canaries: number },
): DeploymentState | null {
  const update = rollingUpdate(job, group);
  const total = work.changed + work.placed;
  if (update === null || total === 0 || current !== null) return null;
  const ranBefore = members.some(
    ({ JobVersion, CreateIndex }) => JobVersion === job.Version && CreateIndex >= job.CreateIndex,
  );
  return ranBefore && work.changed === 0 ? null : newGroupState(update, total, work.canaries);
}
