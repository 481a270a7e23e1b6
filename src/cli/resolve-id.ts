/** Prefixes → the one row they name, as Nomad's commands resolve them: through the list routes. */
import type { AllocationStub, DroverClient, JobStub, NodeStub } from '../api-client/index.ts';
import { isResponseError } from '../api-client/index.ts';
import { shortId } from '../lib/ids.ts';
import { asking } from './client-context.ts';
import { CommandError } from './command.ts';
import { formatAgo, formatTime } from './formats.ts';
import { formatTable } from './table.ts';

/** A UUID's prefix as the list routes take it: an odd number of hex digits loses its last. */
export function sanitizeUuidPrefix(prefix: string): string {
  const digits = prefix.replaceAll('-', '').length;
  return digits % 2 === 1 ? prefix.slice(0, -1) : prefix;
}

function uuidPrefix(prefix: string): string {
  if (prefix.length === 1) throw new CommandError('Identifier must contain at least two characters.');
  return sanitizeUuidPrefix(prefix);
}

/** A job's id from its id or a prefix of it. */
export async function resolveJob(client: DroverClient, prefix: string): Promise<{ id: string; namespace: string }> {
  let jobs: readonly JobStub[];
  try {
    jobs = (await client.jobs.list({ query: { prefix, per_page: 20 } })).value;
  } catch (error) {
    // whoever may read a job need not be allowed to list them
    if (isResponseError(error, 403)) return { id: prefix, namespace: client.api.options.namespace ?? 'default' };
    return asking('Error querying job', Promise.reject(error));
  }
  const exact = jobs.filter((job) => job.ID === prefix);
  const found = exact.length === 1 ? exact : jobs;
  if (found.length === 0) throw new CommandError(`No job(s) with prefix or ID "${prefix}" found`);
  if (found.length > 1) throw new CommandError(`Prefix "${prefix}" matched multiple jobs\n\n${jobTable(found, false)}`);
  return { id: found[0]!.ID, namespace: found[0]!.Namespace };
}

export function jobTable(jobs: readonly JobStub[], withNamespace: boolean): string {
  const rows = jobs.map((job) => {
    const kind = job.Type + (job.Periodic ? '/periodic' : '') + (job.ParameterizedJob ? '/parameterized' : '');
    const status = job.Stop ? `${job.Status} (stopped)` : job.Status;
    const time = formatTime(job.SubmitTime);
    return withNamespace
      ? [job.ID, job.Namespace, kind, job.Priority, status, time]
      : [job.ID, kind, job.Priority, status, time];
  });
  const namespace = withNamespace ? ['Namespace'] : [];
  return formatTable([['ID', ...namespace, 'Type', 'Priority', 'Status', 'Submit Date'], ...rows]);
}

export async function resolveAllocation(client: DroverClient, prefix: string): Promise<AllocationStub> {
  const query = { prefix: uuidPrefix(prefix) };
  const { value: found } = await asking('Error querying allocation', client.allocations.list({ query }));
  if (found.length === 0) throw new CommandError(`No allocation(s) with prefix or id "${prefix}" found`);
  if (found.length > 1)
    throw new CommandError(`Prefix matched multiple allocations\n\n${allocationTable(found, false)}`);
  return found[0]!;
}

export function allocationTable(allocations: readonly AllocationStub[], verbose: boolean): string {
  if (allocations.length === 0) return 'No allocations placed';
  if (verbose) {
    return formatTable([
      ['ID', 'Eval ID', 'Node ID', 'Node Name', 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
      ...allocations.map((row) => [
        ...[
          row.ID,
          row.EvalID,
          row.NodeID,
          row.NodeName,
          row.TaskGroup,
          row.JobVersion,
          row.DesiredStatus,
          row.ClientStatus,
        ],
        ...[formatTime(row.CreateTime), formatTime(row.ModifyTime)],
      ]),
    ]);
  }
  return formatTable([
    ['ID', 'Node ID', 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
    ...allocations.map((row) => [
      ...[shortId(row.ID), shortId(row.NodeID), row.TaskGroup, row.JobVersion, row.DesiredStatus, row.ClientStatus],
      ...[formatAgo(row.CreateTime), formatAgo(row.ModifyTime)],
    ]),
  ]);
}

export async function resolveNode(client: DroverClient, prefix: string): Promise<NodeStub> {
  const query = { prefix: uuidPrefix(prefix) };
  const { value: found } = await asking('Error querying node info', client.nodes.list({ query }));
  if (found.length === 0) throw new CommandError(`No node(s) with prefix "${prefix}" found`);
  if (found.length > 1) {
    const rows = found.map((node) => [
      shortId(node.ID),
      node.Datacenter,
      node.Name,
      node.NodeClass,
      node.Drain,
      node.SchedulingEligibility,
      node.Status,
    ]);
    throw new CommandError(
      `Prefix matched multiple nodes\n\n${formatTable([['ID', 'DC', 'Name', 'Class', 'Drain', 'Eligibility', 'Status'], ...rows])}`,
    );
  }
  return found[0]!;
}

/** The allocation of a job that a command most likely means: one that runs, else the newest. */
export async function allocationOfJob(client: DroverClient, job: string, group: string): Promise<AllocationStub> {
  const { id } = await resolveJob(client, job);
  const { value } = await asking('Error querying job', client.jobs.allocations(id));
  const rows = value
    .filter((row) => group === '' || row.TaskGroup === group)
    .sort((a, b) => b.CreateIndex - a.CreateIndex);
  const found = rows.find((row) => row.ClientStatus === 'running') ?? rows[0];
  if (found === undefined)
    throw new CommandError(`No allocation of job "${id}"${group === '' ? '' : ` in group "${group}"`} found`);
  return found;
}

export function newestFirst(allocations: readonly AllocationStub[]): AllocationStub[] {
  return [...allocations].sort((a, b) => b.CreateTime - a.CreateTime || b.CreateIndex - a.CreateIndex);
}
