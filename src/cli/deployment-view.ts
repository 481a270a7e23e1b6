import { sortedEntries } from '../lib/order.ts';
import type { Deployment } from '../model/deployment.ts';
import { formatId, formatTime } from './formats.ts';
import { formatPairs, formatTable } from './table.ts';

/** The lines under "Latest Deployment", and of the monitor. */
export function deploymentView(deployment: Deployment, options: { verbose: boolean; job: boolean }): string {
  const job: [string, string | number][] = options.job
    ? [
        ['Job ID', deployment.JobID],
        ['Job Version', deployment.JobVersion],
      ]
    : [];
  const pairs = formatPairs([
    ['ID', formatId(deployment.ID, options.verbose)],
    ...job,
    ['Status', deployment.Status],
    ['Description', deployment.StatusDescription],
  ]);
  return `${pairs}\n\nDeployed\n${deploymentGroups(deployment)}`;
}

function deploymentGroups(deployment: Deployment): string {
  const groups = sortedEntries(deployment.TaskGroups);
  const canaries = groups.some(([, group]) => group.DesiredCanaries > 0);
  const heading = ['Task Group', ...(canaries ? ['Promoted'] : []), 'Desired', ...(canaries ? ['Canaries'] : [])];
  const rows = groups.map(([name, group]) => [
    name,
    ...(canaries ? [group.DesiredCanaries > 0 ? group.Promoted : 'N/A'] : []),
    group.DesiredTotal,
    ...(canaries ? [group.DesiredCanaries] : []),
    ...[group.PlacedAllocs, group.HealthyAllocs, group.UnhealthyAllocs, formatTime(group.RequireProgressBy)],
  ]);
  return formatTable([[...heading, 'Placed', 'Healthy', 'Unhealthy', 'Progress Deadline'], ...rows]);
}
