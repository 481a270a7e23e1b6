import type { AllocationStub, DroverClient } from '../api-client/index.ts';
import { formatJson } from '../lib/json.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import type { JobSummary } from '../model/job-summary.ts';
import { asking, connectTo } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { deploymentView } from './deployment-view.ts';
import { formatId, formatTime } from './formats.ts';
import { placementFailures } from './placement-failures.ts';
import { allocationTable, jobTable, resolveJob } from './resolve-id.ts';
import { formatPairs, formatTable, heading } from './table.ts';

export const command: Command = {
  usage: 'job status [options] [<job>]',
  help: 'Lists the jobs, or shows one: its state, what was placed and what could not be, the latest deployment and its allocations.',
  flags: {
    short: { kind: 'bool', help: 'Only the job itself.' },
    evals: { kind: 'bool', help: 'Also its evaluations.' },
    'all-allocs': { kind: 'bool', help: 'Also allocations of an earlier job of this name.' },
    json: { kind: 'bool', help: "Print the API's JSON." },
    t: { kind: 'string', value: '<template>', help: 'Print with a Go template.' },
    verbose: { kind: 'bool', help: 'Whole ids and evaluations.' },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'jobs',
  run,
};

export async function run(call: Call): Promise<number> {
  const { args, terminal } = call;
  if (args.length > 1)
    throw new CommandError(
      "This command takes either no arguments or one: <job>\nFor additional help try 'drover job status -help'",
    );
  const client = connectTo(call);
  try {
    if (args[0] === undefined) await list(call, client);
    else terminal.out(await show(call, client, args[0]));
    return 0;
  } finally {
    client.close();
  }
}

async function list({ flags, terminal }: Call, client: DroverClient): Promise<void> {
  const { value: jobs } = await asking('Error querying jobs', client.jobs.list());
  if (flags.bool('json')) return terminal.out(formatJson(jobs, 4));
  terminal.out(jobs.length === 0 ? 'No running jobs' : jobTable(jobs, client.api.options.namespace === '*'));
}

async function show({ flags, terminal }: Call, client: DroverClient, prefix: string): Promise<string> {
  const found = await resolveJob(client, prefix);
  const options = { query: { namespace: found.namespace } };
  const { value: job } = await asking('Error querying job', client.jobs.read(found.id, options));
  const verbose = flags.bool('verbose');
  const parts = [overview(job)];
  if (flags.bool('short')) return parts[0]!;
  const [summary, evaluations, deployment, allocations] = await asking(
    'Error querying job',
    Promise.all([
      client.jobs.summary(job.ID, options),
      client.jobs.evaluations(job.ID, options),
      client.jobs.latestDeployment(job.ID, options),
      client.jobs.allocations(job.ID, { query: { ...options.query, all: flags.bool('all-allocs') || undefined } }),
    ]),
  );
  if (flags.bool('json'))
    return formatJson(
      { ...job, Summary: summary.value, Evaluations: evaluations.value, Allocations: allocations.value },
      4,
    );
  const section = (title: string, body: string): number => parts.push(`${heading(terminal, title)}\n${body}`);
  if (job.ParameterizedJob === null && job.Periodic === null) section('Summary', summaryTable(summary.value));
  if (verbose || flags.bool('evals')) section('Evaluations', evaluationTable(evaluations.value, verbose));
  const blocked = evaluations.value.find((evaluation) => evaluation.Status === 'blocked');
  if (blocked !== undefined) section('Placement Failure', failures(blocked));
  if (deployment.value != null) section('Latest Deployment', deploymentView(deployment.value, { verbose, job: false }));
  const actions = actionRows(job);
  if (actions.length > 0) section('Actions', formatTable([['Action Name', 'Task Group', 'Task'], ...actions]));
  if (job.ParameterizedJob === null && job.Periodic === null)
    section('Allocations', allocationTable(newestFirst(allocations.value), verbose));
  return parts.join('\n\n');
}

function overview(job: Job): string {
  return formatPairs([
    ['ID', job.ID],
    ['Name', job.Name],
    ['Submit Date', formatTime(job.SubmitTime)],
    ['Type', job.Type],
    ['Priority', job.Priority],
    ['Datacenters', (job.Datacenters ?? []).join(',')],
    ['Namespace', job.Namespace],
    ['Node Pool', job.NodePool],
    ['Status', job.Stop ? `${job.Status} (stopped)` : job.Status],
    ['Periodic', job.Periodic !== null],
    ['Parameterized', job.ParameterizedJob !== null],
  ]);
}

function summaryTable(summary: JobSummary): string {
  const rows = Object.entries(summary.Summary ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, group]) => [
      name,
      group.Queued,
      group.Starting,
      group.Running,
      group.Failed,
      group.Complete,
      group.Lost,
      group.Unknown,
    ]);
  return formatTable([
    ['Task Group', 'Queued', 'Starting', 'Running', 'Failed', 'Complete', 'Lost', 'Unknown'],
    ...rows,
  ]);
}

function evaluationTable(evaluations: readonly Evaluation[], verbose: boolean): string {
  const rows = [...evaluations]
    .sort((a, b) => b.CreateIndex - a.CreateIndex)
    .map((row) => [
      ...[formatId(row.ID, verbose), row.Priority, row.TriggeredBy, row.Status],
      row.Status === 'blocked' ? 'N/A - In Progress' : Object.keys(row.FailedTGAllocs ?? {}).length > 0,
    ]);
  return formatTable([['ID', 'Priority', 'Triggered By', 'Status', 'Placement Failures'], ...rows]);
}

function failures(evaluation: Evaluation): string {
  return Object.entries(evaluation.FailedTGAllocs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, metric]) => [`Task Group "${group}":`, ...placementFailures(metric, '  ')].join('\n'))
    .join('\n\n');
}

function actionRows(job: Job): string[][] {
  return (job.TaskGroups ?? []).flatMap((group) =>
    (group.Tasks ?? []).flatMap((task) => (task.Actions ?? []).map((action) => [action.Name, group.Name, task.Name])),
  );
}

function newestFirst(allocations: readonly AllocationStub[]): AllocationStub[] {
  return [...allocations].sort((a, b) => b.CreateTime - a.CreateTime || b.CreateIndex - a.CreateIndex);
}
