/** Follows an evaluation, what it leads to, and the deployment it belongs to; says each change once. */

import type { DroverClient } from '../api-client/index.ts';
import { second } from '../lib/duration.ts';
import { compareText, sortedEntries } from '../lib/order.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Evaluation } from '../model/evaluation.ts';
import { asking } from './client-context.ts';
import { Interrupted } from './command.ts';
import { deploymentView } from './deployment-view.ts';
import { formatDate, formatId } from './formats.ts';
import { placementFailures } from './placement-failures.ts';
import { allocationTable, newestFirst } from './resolve-id.ts';
import { heading } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface MonitorOptions {
  readonly client: DroverClient;
  readonly terminal: Terminal;
  readonly verbose: boolean;
  readonly interrupted: AbortSignal;
  /** The command has a -detach: whoever waits for something that is blocked is told. */
  readonly offersDetach?: boolean;
}

const ended = new Set(['complete', 'failed', 'canceled']);
const deploymentEnded = new Set(['successful', 'failed', 'cancelled']);

/** Resolves with the exit code: 0; 2 where something could not be placed; 1 where the evaluation or deployment failed. */
export async function monitorEvaluation(options: MonitorOptions, evalId: string): Promise<number> {
  const { client, terminal, verbose, interrupted } = options;
  const id = (text: string): string => formatId(text, verbose);
  head(terminal, `Monitoring evaluation "${id(evalId)}"`);
  let evaluation: Evaluation | undefined;
  for await (const read of watch(client, evalId, interrupted)) {
    if (evaluation === undefined) sayTrigger(options, read);
    if (ended.has(read.Status)) await sayAllocations(options, read.ID);
    const before = evaluation?.Status ?? 'pending';
    if (before !== read.Status) line(terminal, `Evaluation status changed: "${before}" -> "${read.Status}"`);
    evaluation = read;
    if (ended.has(read.Status)) break;
    terminal.live(`    evaluation ${id(evalId)} is ${read.Status} …`);
  }
  if (evaluation === undefined || interrupted.aborted) throw new Interrupted();
  return sayOutcome(options, evaluation);
}

async function* watch(client: DroverClient, evalId: string, signal: AbortSignal): AsyncIterable<Evaluation> {
  let index = 0;
  while (!signal.aborted) {
    const query = index === 0 ? {} : { index, wait: '10s' };
    const read = await following(
      'Error reading evaluation',
      client.evaluations.read(evalId, { query, signal }),
      signal,
    );
    yield read.value;
    index = read.index;
  }
}

function sayTrigger({ terminal, verbose }: MonitorOptions, evaluation: Evaluation): void {
  if (evaluation.TriggeredBy === 'node-update' || evaluation.TriggeredBy === 'node-drain')
    line(terminal, `Evaluation triggered by node "${formatId(evaluation.NodeID, verbose)}"`);
  else if (evaluation.JobID !== '') line(terminal, `Evaluation triggered by job "${evaluation.JobID}"`);
}

async function sayAllocations({ client, terminal, verbose }: MonitorOptions, evalId: string): Promise<void> {
  const read = await asking('Error reading evaluation', client.evaluations.read(evalId));
  if (read.value.DeploymentID)
    line(terminal, `Evaluation within deployment: "${formatId(read.value.DeploymentID, verbose)}"`);
  const { value } = await asking('Error reading allocations', client.evaluations.allocations(evalId));
  for (const allocation of value) {
    const where = `node "${formatId(allocation.NodeID, verbose)}", group "${allocation.TaskGroup}"`;
    const id = formatId(allocation.ID, verbose);
    // what was there before the evaluation was changed by it
    if (allocation.CreateIndex < read.value.CreateIndex) line(terminal, `Allocation "${id}" modified: ${where}`);
    else if (allocation.DesiredStatus === 'run') line(terminal, `Allocation "${id}" created: ${where}`);
  }
}

async function sayOutcome(options: MonitorOptions, evaluation: Evaluation): Promise<number> {
  const { terminal, verbose } = options;
  const failures = Object.entries(evaluation.FailedTGAllocs ?? {});
  const title = `Evaluation "${formatId(evaluation.ID, verbose)}" finished with status "${evaluation.Status}"`;
  head(terminal, failures.length === 0 ? title : `${title} but failed to place all allocations:`);
  for (const [group, metric] of failures.sort(([a], [b]) => compareText(a, b))) {
    const count = metric.CoalescedFailures + 1;
    line(terminal, `Task Group "${group}" (failed to place ${count} allocation${count === 1 ? '' : 's'}):`);
    for (const text of placementFailures(metric, '      ')) terminal.out(text);
  }
  if (evaluation.BlockedEval !== '' && failures.length > 0)
    line(
      terminal,
      `Evaluation "${formatId(evaluation.BlockedEval, verbose)}" waiting for additional capacity to place remainder`,
    );
  if (evaluation.NextEval !== '' && evaluation.Status !== 'failed') {
    const wait = Math.round((evaluation.Wait ?? 0) / second);
    head(terminal, `Monitoring next evaluation "${formatId(evaluation.NextEval, verbose)}" in ${wait}s`);
    return monitorEvaluation(options, evaluation.NextEval);
  }
  const code = evaluation.Status === 'failed' ? 1 : failures.length > 0 ? 2 : 0;
  if (evaluation.DeploymentID === '') return code;
  if (code === 2 && options.offersDetach === true)
    terminal.error(
      `    What is named above keeps ${evaluation.JobID === '' ? 'it' : `job "${evaluation.JobID}"`} from being placed. It is placed as soon as there is room: watching on.\n    Ctrl-C ends the watching only; -detach does without it.`,
    );
  return Math.max(code, await monitorDeployment(options, evaluation.DeploymentID));
}

/** Until it is decided. On a terminal the view is redrawn in place by its status line; elsewhere each change is written once. */
export async function monitorDeployment(options: MonitorOptions, deploymentId: string): Promise<number> {
  const { client, terminal, verbose, interrupted } = options;
  head(terminal, `Monitoring deployment "${formatId(deploymentId, verbose)}"`);
  let shown = '';
  let index = 0;
  let deployment: Deployment | undefined;
  while (!interrupted.aborted) {
    const query = index === 0 ? {} : { index, wait: '10s' };
    const reading = client.deployments.read(deploymentId, { query, signal: interrupted });
    const read = await following('Error fetching deployment', reading, interrupted);
    deployment = read.value;
    index = read.index;
    const groups = deploymentView(deployment, { verbose, job: true });
    const view = verbose ? `${groups}\n\n${await deploymentAllocations(options, deploymentId)}` : groups;
    if (view !== shown) terminal.out(`    \n${formatDate(new Date())}\n${view}`);
    shown = view;
    if (deploymentEnded.has(deployment.Status)) break;
    terminal.live(`    ${progress(deployment)} …`);
  }
  if (deployment === undefined || interrupted.aborted) throw new Interrupted();
  return deployment.Status === 'successful' ? 0 : 1;
}

/** A request that Ctrl-C may cut short. */
async function following<T>(what: string, call: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await asking(what, call);
  } catch (error) {
    if (signal.aborted) throw new Interrupted();
    throw error;
  }
}

/** `web: 2 of 3 healthy, 3 placed`, for the line that changes in place. */
function progress(deployment: Deployment): string {
  const groups = sortedEntries(deployment.TaskGroups);
  return groups
    .map(
      ([name, group]) =>
        `${name}: ${group.HealthyAllocs} of ${group.DesiredTotal} healthy, ${group.PlacedAllocs} placed`,
    )
    .join('; ');
}

async function deploymentAllocations({ client, terminal }: MonitorOptions, deploymentId: string): Promise<string> {
  const { value } = await asking('Error fetching deployment', client.deployments.allocations(deploymentId));
  return `${heading(terminal, 'Allocations')}\n${allocationTable(newestFirst(value), true)}`;
}

function head(terminal: Terminal, text: string): void {
  terminal.out(terminal.paint('bold', `==> ${formatDate(new Date())}: ${text}`));
}

function line(terminal: Terminal, text: string): void {
  terminal.out(`    ${formatDate(new Date())}: ${text}`);
}
