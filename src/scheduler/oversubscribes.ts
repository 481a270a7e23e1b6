import type { Job } from '../model/job.ts';
import type { ServerSnapshot } from './snapshot.ts';

/** Whether tasks of a job may use more memory than they reserve: its node pool decides, else the cluster. */
export function oversubscribes(snapshot: ServerSnapshot, { NodePool }: Pick<Job, 'NodePool'>): boolean {
  const pool = snapshot.get('nodePools', NodePool)?.SchedulerConfiguration;
  const cluster = snapshot.get('schedulerConfiguration', 'scheduler');
  return pool?.MemoryOversubscriptionEnabled ?? cluster?.MemoryOversubscriptionEnabled ?? false;
}
