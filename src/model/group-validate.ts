import { formatDuration, minute, second } from '../lib/duration.ts';
import { validateAffinities, validateConstraints, validateSpreads } from './constraint-validate.ts';
import { nest, problems } from './error-list.ts';
import { validateIsolation } from './isolation-floor.ts';
import type { Job } from './job.ts';
import type { ValidationContext } from './job-validate.ts';
import type { NetworkResource, Port } from './network.ts';
import { validateServices } from './service-validate.ts';
import type { TaskGroup } from './task-group.ts';
import { taskWarnings, validateTask } from './task-validate.ts';
import { validateVolumes } from './volume-validate.ts';

/** The problems of one group, its tasks included. */
export function validateGroup(group: TaskGroup, job: Job): readonly string[] {
  const system = job.Type === 'system' || job.Type === 'sysbatch';
  return [
    ...problems(
      [group.Name === '', 'Missing task group name'],
      [group.Name.includes('\0'), 'Task group name contains null character'],
      [group.Count < 0, "Task group count can't be negative"],
      [group.Tasks.length === 0, 'Missing tasks for task group'],
      [(group.ShutdownDelay ?? 0) < 0, 'ShutdownDelay must be a positive value'],
    ),
    ...validateIsolation(group),
    ...runDuration(group, job),
    ...validateConstraints(group.Constraints, 'job'),
    ...(job.Type === 'system' ? [] : [...validateAffinities(group.Affinities), ...validateSpreads(group.Spreads)]),
    ...problems(
      [job.Type === 'system' && (group.Affinities?.length ?? 0) > 0, 'System jobs may not have an affinity block'],
      [job.Type === 'system' && (group.Spreads?.length ?? 0) > 0, 'System jobs may not have a spread block'],
    ),
    ...nest('', validateRestart(group.RestartPolicy)),
    ...nest(
      '',
      problems([group.EphemeralDisk.SizeMB < 10, `minimum DiskMB value is 10; got ${group.EphemeralDisk.SizeMB}`]),
    ),
    ...problems([system && group.ReschedulePolicy !== null, `${job.Type} jobs should not have a reschedule policy`]),
    ...(system || group.ReschedulePolicy === null ? [] : nest('', validateReschedule(group.ReschedulePolicy))),
    ...disconnect(group, job),
    ...update(group, job),
    ...migrate(group, job),
    ...nest('Task group network validation failed', validateNetworks(group.Networks ?? [])),
    ...validateVolumes(group, job),
    ...scaling(group, job),
    ...taskNames(group),
    ...nest('Task group service validation failed', validateServices(group.Services ?? [], group, null)),
    ...group.Tasks.flatMap((task) => nest(`Task ${task.Name} validation failed`, validateTask(task, group, job))),
  ];
}

function runDuration(group: TaskGroup, job: Job): readonly string[] {
  if (group.MaxRunDuration === null) return [];
  return problems(
    [group.MaxRunDuration <= 0, 'MaxRunDuration must be greater than 0'],
    [
      job.Type !== 'batch' && job.Type !== 'sysbatch',
      'MaxRunDuration can only be used with "batch" or "sysbatch" jobs',
    ],
  );
}

export function validateRestart(policy: TaskGroup['RestartPolicy']): readonly string[] {
  const fits = policy.Attempts * policy.Delay <= policy.Interval;
  return problems(
    [policy.Mode !== 'fail' && policy.Mode !== 'delay', `Unsupported restart mode: "${policy.Mode}"`],
    [policy.Attempts === 0 && policy.Mode === 'delay', 'Restart policy "delay" with 0 attempts is ambiguous'],
    [policy.Interval < 5 * second, 'Interval can not be less than 5s'],
    [
      !fits,
      `${policy.Attempts} restarts with a delay of ${formatDuration(policy.Delay)} do not fit into an interval of ${formatDuration(policy.Interval)}`,
    ],
  );
}

function validateReschedule(policy: NonNullable<TaskGroup['ReschedulePolicy']>): readonly string[] {
  const none = policy.Attempts === 0 && !policy.Unlimited;
  if (none) return problems([policy.Attempts < 0, 'Reschedule attempts must not be negative']);
  const limited = !policy.Unlimited;
  const functions = ['constant', 'exponential', 'fibonacci'];
  return problems(
    [
      policy.Attempts > 0 && policy.Unlimited,
      'Reschedule policy: unlimited rescheduling and a number of attempts exclude each other',
    ],
    [limited && policy.Interval < 15 * second, 'Reschedule interval cannot be less than 15s'],
    [policy.Delay < 5 * second, 'Reschedule delay cannot be less than 5s'],
    [
      !functions.includes(policy.DelayFunction),
      `Invalid delay function "${policy.DelayFunction}": must be one of ${functions.join(', ')}`,
    ],
    [
      policy.DelayFunction !== 'constant' && policy.MaxDelay < 5 * second,
      'Reschedule max delay cannot be less than 5s',
    ],
    [
      policy.DelayFunction !== 'constant' && policy.MaxDelay < policy.Delay,
      'Reschedule max delay cannot be less than the delay',
    ],
    [
      limited && policy.DelayFunction === 'constant' && policy.Attempts * policy.Delay > policy.Interval,
      `${policy.Attempts} reschedule attempts do not fit the interval`,
    ],
  );
}

function disconnect(group: TaskGroup, job: Job): readonly string[] {
  const block = group.Disconnect;
  if (block === null) return [];
  const choices = ['keep_original', 'keep_replacement', 'best_score', 'longest_running'];
  return nest(
    'Task group disconnect validation failed',
    problems(
      [block.LostAfter < 0, 'lost_after must not be negative'],
      [(block.StopOnClientAfter ?? 0) < 0, 'stop_on_client_after must not be negative'],
      [
        block.StopOnClientAfter !== null && job.Type !== 'service' && job.Type !== 'batch',
        'stop_on_client_after is for service and batch jobs only',
      ],
      [
        block.StopOnClientAfter !== null && block.LostAfter > 0,
        'lost_after and stop_on_client_after exclude each other',
      ],
      [!choices.includes(block.Reconcile), `Invalid reconcile option "${block.Reconcile}"`],
    ),
  );
}

function update(group: TaskGroup, job: Job): readonly string[] {
  const block = group.Update;
  if (block === null) return [];
  if (job.Type !== 'service' && job.Type !== 'system') return [`Job type "${job.Type}" does not allow update block`];
  return nest(
    '',
    problems(
      [
        !['checks', 'task_states', 'manual'].includes(block.HealthCheck),
        `Invalid health check given: "${block.HealthCheck}"`,
      ],
      [block.MaxParallel < 0, `Max parallel can not be less than zero: ${block.MaxParallel} < 0`],
      [block.Canary < 0, `Canary count can not be less than zero: ${block.Canary} < 0`],
      [block.Canary === 0 && block.AutoPromote, 'Auto Promote requires a Canary count greater than zero'],
      [block.MinHealthyTime < 0, 'Minimum healthy time may not be less than zero'],
      [block.HealthyDeadline <= 0, 'Healthy deadline must be greater than zero'],
      [block.ProgressDeadline < 0, 'Progress deadline must be zero or greater'],
      [block.MinHealthyTime >= block.HealthyDeadline, 'Minimum healthy time must be less than healthy deadline'],
      [
        block.ProgressDeadline !== 0 && block.HealthyDeadline >= block.ProgressDeadline,
        'Healthy deadline must be less than progress deadline',
      ],
      [block.Stagger <= 0, 'Stagger must be greater than zero'],
    ),
  );
}

function migrate(group: TaskGroup, job: Job): readonly string[] {
  const block = group.Migrate;
  if (block === null) return [];
  if (job.Type !== 'service') return [`Job type "${job.Type}" does not allow migrate block`];
  return nest(
    '',
    problems(
      [block.MaxParallel < 0, 'MaxParallel must be >= 0'],
      [!['checks', 'task_states'].includes(block.HealthCheck), `Invalid HealthCheck: "${block.HealthCheck}"`],
      [block.MinHealthyTime < 0, 'MinHealthyTime must not be negative'],
      [block.HealthyDeadline < 0, 'HealthyDeadline must not be negative'],
      [block.MinHealthyTime > block.HealthyDeadline, 'MinHealthyTime must be less than HealthyDeadline'],
    ),
  );
}

function validateNetworks(networks: readonly NetworkResource[]): readonly string[] {
  const labels = new Set<string>();
  const taken = new Set<string>();
  return networks.flatMap((network) => [
    ...problems(
      [
        (network.Hostname ?? '') !== '' && network.Mode !== 'bridge' && !network.Mode?.startsWith('cni/'),
        'hostname is only possible in bridge mode',
      ],
      [!validHostname(network.Hostname ?? ''), `Hostname is not a valid DNS name: "${network.Hostname}"`],
    ),
    ...[...(network.ReservedPorts ?? []), ...(network.DynamicPorts ?? [])].flatMap((port) =>
      validatePort(port, network, labels, taken),
    ),
  ]);
}

function validHostname(name: string): boolean {
  return (
    name === '' ||
    name.includes('${') ||
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(name)
  );
}

function validatePort(
  port: Port,
  network: NetworkResource,
  labels: Set<string>,
  taken: Set<string>,
): readonly string[] {
  const value = port.Value ?? 0;
  const key = `${port.HostNetwork ?? 'default'}:${value}`;
  const result = problems(
    [port.Label === '', 'Port without a label'],
    [labels.has(port.Label), `Port label ${port.Label} already in use`],
    [value < 0 || value > 65535, `Port ${port.Label} has a static value of ${value} which must be between 1 and 65535`],
    [value !== 0 && taken.has(key), `Static port ${value} already reserved`],
    [
      (port.To ?? 0) < -1 || (port.To ?? 0) > 65535,
      `Port "${port.Label}" cannot be mapped to a port (${port.To}) outside of -1 to 65535`,
    ],
    [
      port.IgnoreCollision === true && !['', 'host', undefined].includes(network.Mode),
      `Port "${port.Label}": ignore_collision is possible in host mode only`,
    ],
  );
  labels.add(port.Label);
  if (value !== 0) taken.add(key);
  return result;
}

function scaling(group: TaskGroup, job: Job): readonly string[] {
  const policy = group.Scaling;
  if (policy === null) return [];
  return nest(
    'Task group scaling policy validation failed',
    problems(
      [policy.Type !== 'horizontal', `Scaling policy of a group cannot be of type "${policy.Type}"`],
      [job.Type === 'system' || job.Type === 'sysbatch', `Job type "${job.Type}" does not allow scaling blocks`],
      [policy.Max < 0, 'Scaling policy: max must be specified and not negative'],
      [policy.Min < 0, 'Scaling policy: min must not be negative'],
      [policy.Max < policy.Min, 'Scaling policy: maximum count must not be less than minimum count'],
      [group.Count > policy.Max, `task group count must not be greater than maximum count in scaling policy`],
      [group.Count < policy.Min, `task group count must not be less than minimum count in scaling policy`],
    ),
  );
}

function taskNames(group: TaskGroup): readonly string[] {
  const seen = new Map<string, number>();
  const leaders = group.Tasks.filter((task) => task.Leader).length;
  const main = group.Tasks.some((task) => task.Lifecycle === null);
  return [
    ...group.Tasks.flatMap((task, index) => {
      const before = seen.get(task.Name);
      if (task.Name === '') return [`Task ${index + 1} missing name`];
      seen.set(task.Name, before ?? index + 1);
      return problems([before !== undefined, `Task ${index + 1} redefines '${task.Name}' from task ${before}`]);
    }),
    ...problems(
      [leaders > 1, 'Only one task may be marked as leader'],
      [group.Tasks.length > 0 && !main, `Task group ${group.Name} has no main task: each task has a lifecycle block`],
    ),
  ];
}

/** What is accepted but worth saying about a group and its tasks. */
export function groupWarnings(group: TaskGroup, context: ValidationContext): readonly string[] {
  const delayed = (group.ShutdownDelay ?? 0) > 0 || group.Tasks.some((task) => task.ShutdownDelay > 0);
  // A sidecar outlives its task for a moment anyway.
  const plain = group.Services?.some((service) => !service.Connect?.SidecarService) ?? false;
  const parallel = group.Update?.MaxParallel ?? 0;
  return [
    ...problems(
      [
        group.Count > 1 && parallel > group.Count,
        `group "${group.Name}": update max_parallel is above the count (${parallel} > ${group.Count}): a destructive change replaces all allocations at once`,
      ],
      [(group.Networks?.[0]?.MBits ?? 0) > 0, 'mbits has been deprecated. Please remove mbits from the network block'],
      [
        group.StopAfterClientDisconnect !== null,
        'stop_after_client_disconnect is deprecated and ignored. Use disconnect.stop_on_client_after',
      ],
      [
        group.MaxClientDisconnect !== null,
        'max_client_disconnect is deprecated and ignored. Use disconnect.lost_after',
      ],
      [group.PreventRescheduleOnLost, 'prevent_reschedule_on_lost is deprecated and ignored. Use disconnect.replace'],
      [
        plain && !delayed,
        `group "${group.Name}" defines services, but neither the group nor any of its tasks have shutdown_delay set`,
      ],
      [(group.MaxRunDuration ?? minute) < second, `group "${group.Name}": max_run_duration is below a second`],
    ),
    ...group.Tasks.flatMap((task) => taskWarnings(task, context)),
  ];
}
