import type { DroverClient } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import type { JobSummary } from '../model/job-summary.ts';
import { isDispatchable } from '../model/parent-job.ts';
import { asking, connectTo } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { deploymentView } from './deployment-view.ts';
import { formatId, formatTime } from './formats.ts';
import { formatFlags, printFormatted, wantsFormat } from './formatted.ts';
import { nextPeriodicLaunch } from './next-launch.ts';
import { placementFailures } from './placement-failures.ts';
import { allocationTable, jobTable, newestFirst, resolveJob } from './resolve-id.ts';
import { formatPairs, formatTable, heading } from './table.ts';

export const command: Command = {
  usage: 'job status [options] [<job>]',
  help: 'Lists the jobs, or shows one: its state, what was placed and what could not be, the latest deployment and its allocations.',
  flags: {
    short: { kind: 'bool', help: 'Only the job itself.' },
    evals: { kind: 'bool', help: 'Also its evaluations.' },
    'all-allocs': { kind: 'bool', help: 'Also allocations of an earlier job of this name.' },
    ...formatFlags,
    verbose: { kind: 'bool', help: 'Whole ids and evaluations.' },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'jobs',
  run,
};

export async function run(call: Call): Promise<number> {
  const { args } = call;
  if (args.length > 1)
    throw new CommandError(
      "This command takes either no arguments or one: <job>\nFor additional help try 'drover job status -help'",
    );
  const client = connectTo(call);
  try {
    if (args[0] === undefined) await list(call, client);
    else await show(call, client, args[0]);
    return 0;
  } finally {
    client.close();
  }
}

async function list(call: Call, client: DroverClient): Promise<void> {
  const { value: jobs } = await asking('Error querying jobs', client.jobs.list());
  if (wantsFormat(call)) {
    await printFormatted(call, await Promise.all(jobs.map((job) => everythingOf(client, job.ID, job.Namespace))));
    return;
  }
  call.terminal.out(jobs.length === 0 ? 'No running jobs' : jobTable(jobs, client.api.options.namespace === '*'));
}

/** What `-json` and `-t` see of each job. */
async function everythingOf(client: DroverClient, id: string, namespace: string, all = false) {
  const query = { namespace };
  const [summary, evaluations, deployment, allocations] = await asking(
    'Error querying job',
    Promise.all([
      client.jobs.summary(id, { query }),
      client.jobs.evaluations(id, { query }),
      client.jobs.latestDeployment(id, { query }),
      client.jobs.allocations(id, { query: { ...query, all: all || undefined } }),
    ]),
  );
  return {
    Summary: summary.value,
    Allocations: allocations.value,
    LatestDeployment: deployment.value,
    Evaluations: evaluations.value,
  };
}

async function show(call: Call, client: DroverClient, prefix: string): Promise<void> {
  const { flags, terminal } = call;
  const { id, namespace } = await resolveJob(client, prefix);
  const all = flags.bool('all-allocs');
  if (wantsFormat(call)) {
    await printFormatted(call, [await everythingOf(client, id, namespace, all)]);
    return;
  }
  const { value: job } = await asking('Error querying job', client.jobs.read(id, { query: { namespace } }));
  if (flags.bool('short')) return terminal.out(overview(job));
  const parts = [overview(job), ...(await details(call, client, job, await everythingOf(client, id, namespace, all)))];
  terminal.out(parts.join('\n\n'));
}

type Everything = Awaited<ReturnType<typeof everythingOf>>;

async function details(call: Call, client: DroverClient, job: Job, all: Everything): Promise<string[]> {
  const { flags, terminal } = call;
  const verbose = flags.bool('verbose');
  const parts: string[] = [];
  const section = (title: string, body: string): number => parts.push(`${heading(terminal, title)}\n${body}`);
  const kind = isDispatchable(job) ? 'parameterized' : job.Periodic !== null ? 'periodic' : 'plain';
  if (isDispatchable(job)) section('Parameterized Job', parameters(job.ParameterizedJob!));
  if (kind === 'plain') section('Summary', summaryTable(all.Summary));
  else section(kind === 'periodic' ? 'Children Job Summary' : 'Parameterized Job Summary', childrenTable(all.Summary));
  if (verbose || flags.bool('evals')) section('Evaluations', evaluationTable(all.Evaluations, verbose));
  const blocked = all.Evaluations.find((evaluation) => evaluation.Status === 'blocked');
  if (blocked !== undefined) section('Placement Failure', failures(blocked));
  if (all.LatestDeployment != null)
    section('Latest Deployment', deploymentView(all.LatestDeployment, { verbose, job: false }));
  const actions = actionRows(job);
  if (actions.length > 0) section('Actions', formatTable([['Action Name', 'Task Group', 'Task'], ...actions]));
  if (kind === 'plain') section('Allocations', allocationTable(newestFirst(all.Allocations), verbose));
  else parts.push(...(await children(call, client, job, kind)));
  return parts;
}

/** The jobs that a periodic or parameterized job brought forth. */
async function children(
  { terminal }: Call,
  client: DroverClient,
  job: Job,
  kind: 'parameterized' | 'periodic',
): Promise<string[]> {
  const prefix = `${job.ID}/${kind === 'periodic' ? 'periodic' : 'dispatch'}-`;
  const query = { namespace: job.Namespace, prefix };
  const { value } = await asking('Error querying job', client.jobs.list({ query }));
  if (value.length === 0)
    return [`No ${kind === 'periodic' ? 'instances of periodic' : 'dispatched instances of parameterized'} job found`];
  const title = kind === 'periodic' ? 'Previously Launched Jobs' : 'Dispatched Jobs';
  const table = formatTable([['ID', 'Status'], ...value.map((row) => [row.ID, row.Status])]);
  return [`${heading(terminal, title)}\n${table}`];
}

function parameters({ Payload, MetaRequired, MetaOptional }: NonNullable<Job['ParameterizedJob']>): string {
  return formatPairs([
    ['Payload', Payload],
    ['Required Metadata', (MetaRequired ?? []).join(', ')],
    ['Optional Metadata', (MetaOptional ?? []).join(', ')],
  ]);
}

function childrenTable({ Children: children }: JobSummary): string {
  return formatTable([
    ['Pending', 'Running', 'Dead'],
    [children?.Pending ?? 0, children?.Running ?? 0, children?.Dead ?? 0],
  ]);
}

function overview(job: Job): string {
  const next = job.Stop ? undefined : nextPeriodicLaunch(job.Periodic);
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
    ['Parameterized', isDispatchable(job)],
    ...(next === undefined ? [] : [['Next Periodic Launch', next] as const]),
  ]);
}

function summaryTable(summary: JobSummary): string {
  const rows = sortedEntries(summary.Summary).map(([name, group]) => [
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
  return sortedEntries(evaluation.FailedTGAllocs)
    .map(([group, metric]) => [`Task Group "${group}":`, ...placementFailures(metric, '  ')].join('\n'))
    .join('\n\n');
}

function actionRows(job: Job): string[][] {
  return (job.TaskGroups ?? []).flatMap((group) =>
    (group.Tasks ?? []).flatMap((task) => (task.Actions ?? []).map((action) => [action.Name, group.Name, task.Name])),
  );
}
