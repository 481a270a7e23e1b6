import type { JobPlanAnswer } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import { asking, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { showDriverConfig } from './driver-config.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { jobDiffView } from './job-diff-view.ts';
import { jobFileFlags, readJobFile } from './job-file.ts';
import { launchTime } from './next-launch.ts';
import { placementFailures } from './placement-failures.ts';
import { sayWarnings } from './warnings.ts';

export const command: Command = {
  usage: 'job plan [options] <path>',
  help: `Shows what submitting a job file would change, and whether it could be placed now. Nothing is changed.

Exit codes: 0 no allocation would be created or destroyed; 1 some would; 255 the plan could not be made.`,
  flags: {
    diff: { kind: 'bool', help: 'Show the differences to the job as it is. Default true.' },
    verbose: { kind: 'bool', help: 'Every field of what is new.' },
    'json-output': { kind: 'bool', help: "Print the API's JSON of the plan." },
    t: formatFlags['t']!,
    'policy-override': { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
    'vault-namespace': { kind: 'string', help: 'Accepted for compatibility.', hidden: true },
    ...jobFileFlags,
  },
  client: true,
  complete: 'files',
  run,
};

async function run(call: Call): Promise<number> {
  const path = call.args[0];
  if (path === undefined || call.args.length !== 1)
    throw new CommandError(
      "This command takes one argument: <path>\nFor additional help try 'drover job plan -help'",
      255,
    );
  try {
    const file = await readJobFile(call, path);
    for (const warning of file.warnings) call.terminal.error(warning);
    const plan = await withClient(call, async (client) => {
      await showDriverConfig(call.terminal, client, file, path);
      return asking('Error during plan', client.jobs.plan(file.job, { diff: call.flags.bool('diff', true) }));
    });
    if (!(await printFormatted(call, plan.value, { jsonFlag: 'json-output' }))) show(call, plan.value, path);
    return changes(plan.value) ? 1 : 0;
  } catch (error) {
    throw error instanceof CommandError ? new CommandError(error.message, 255) : error;
  }
}

function show({ flags, terminal }: Call, plan: JobPlanAnswer, path: string): void {
  if (plan.Diff !== null && flags.bool('diff', true))
    terminal.out(`${jobDiffView(terminal, plan.Diff, flags.bool('verbose'))}\n`);
  terminal.out(terminal.paint('bold', 'Scheduler dry-run:'));
  for (const text of dryRun(plan)) terminal.out(text);
  terminal.out('');
  sayWarnings(terminal, plan.Warnings);
  const flag = [
    ...flags.strings('var').map((text) => ` -var=${quoted(text)}`),
    ...flags.strings('var-file').map((text) => ` -var-file=${quoted(text)}`),
  ].join('');
  terminal.out(`${terminal.paint('bold', `Job Modify Index: ${plan.JobModifyIndex}`)}
To submit the job with version verification run:

drover job run -check-index ${plan.JobModifyIndex}${flag} ${path}

With the check-index flag the job is changed only if its modify index is still
the one above. If it is not, somebody has changed the job in the meantime, and
what was planned here need not be what would happen then: make a new plan before
submitting it.`);
}

function dryRun(plan: JobPlanAnswer): string[] {
  const failures = sortedEntries(plan.FailedTGAllocs);
  const lines =
    failures.length === 0 ? ['- All tasks successfully allocated.'] : ['- WARNING: Failed to place all allocations.'];
  for (const [group, metric] of failures) {
    const count = metric.CoalescedFailures + 1;
    lines.push(
      `  Task Group "${group}" (failed to place ${count} allocation${count === 1 ? '' : 's'}):`,
      ...placementFailures(metric, '    '),
    );
  }
  for (const { TaskGroup, Task, NodeName, Driver, Reason } of plan.Drivers ?? [])
    lines.push(`- Task "${Task}" of group "${TaskGroup}" on node "${NodeName}": driver "${Driver}" (${Reason}).`);
  const rolling = (plan.CreatedEvals ?? []).find((evaluation) => evaluation.TriggeredBy === 'rolling-update');
  if (rolling !== undefined) lines.push('- Rolling update, next evaluation will be in a moment.');
  if (plan.NextPeriodicLaunch)
    lines.push(`- If submitted now, next periodic launch would be at ${launchTime(plan.NextPeriodicLaunch)}.`);
  return lines;
}

function changes(plan: JobPlanAnswer): boolean {
  return Object.values(plan.Annotations?.DesiredTGUpdates ?? {}).some(
    (update) => update.Stop + update.Place + update.Migrate + update.DestructiveUpdate + update.Canary > 0,
  );
}

const quoted = (text: string): string => (/^[\w./=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
