import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { constraintRequirement, constraintText } from './constraints.ts';
import { devicesRequirement } from './devices.ts';
import { driversRequirement } from './drivers.ts';
import { hostVolumesRequirement, pluginVolumesRequirement } from './host-volumes.ts';
import { isolationRequirement } from './isolation.ts';
import { networkRequirement } from './network.ts';
import type { Requirement } from './requirement.ts';

/** Everything a group asks of a node, whatever else runs there; a constraint that is written twice is asked once. */
export function groupRequirements(
  job: Job,
  group: TaskGroup,
  namespace?: Pick<Namespace, 'Isolation'>,
): readonly Requirement[] {
  const constraints = [
    ...(job.Constraints ?? []),
    ...(group.Constraints ?? []),
    ...group.Tasks.flatMap((task) => task.Constraints ?? []),
  ];
  const distinct = new Map(constraints.map((constraint) => [constraintText(constraint), constraint]));
  return [
    ...[...distinct.values()].map(constraintRequirement),
    driversRequirement(job, group, namespace),
    hostVolumesRequirement(group),
    pluginVolumesRequirement(group),
    devicesRequirement(group),
    networkRequirement(group),
    isolationRequirement(job, group, namespace),
  ].filter((requirement) => requirement !== undefined);
}
