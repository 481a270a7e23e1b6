/** Texts that Nomad's clients and their users' scripts read in `DesiredDescription` and `StatusDescription`. */
export const allocationText = {
  notNeeded: 'alloc not needed due to job update',
  migrating: 'alloc is being migrated',
  updating: 'alloc is being updated due to job update',
  lost: 'alloc is lost since its node is down',
  nodeTainted: 'alloc not needed as node is tainted',
  /** Recorded of Nomad 2.0: a rescheduled allocation is stopped without a word. */
  rescheduled: '',
} as const;

export const evaluationText = {
  failedPlacements: 'created to place remaining allocations',
  delayedReschedule: 'created for delayed rescheduling',
} as const;

export const deploymentText = {
  running: 'Deployment is running',
  needsPromotion: 'Deployment is running but requires manual promotion',
  autoPromotion: 'Deployment is running pending automatic promotion',
  newerJob: 'Cancelled due to newer version of job',
  stoppedJob: 'Cancelled because job is stopped',
} as const;
