import type { Evaluation } from '../model/evaluation.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatId } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'eval list [options]',
  help: 'Lists evaluations: each is one look of the scheduler at a job, with its outcome.',
  flags: {
    job: { kind: 'string', value: '<job>', help: 'Only those of this job.' },
    status: {
      kind: 'string',
      value: '<status>',
      help: 'Only those that are pending, blocked, complete, failed or canceled.',
    },
    filter: { kind: 'string', value: '<expression>', help: 'Only those for which the expression holds.' },
    'per-page': { kind: 'int', value: '<n>', help: 'How many rows at the most.' },
    'page-token': { kind: 'string', value: '<token>', help: 'Where the page before ended.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    ...formatFlags,
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'eval list', 'This command takes no arguments', 0);
    const query = {
      job: flags.string('job'),
      status: flags.string('status'),
      filter: flags.string('filter'),
      per_page: flags.int('per-page'),
      next_token: flags.string('page-token'),
    };
    return withClient(call, async (client) => {
      const { value, nextToken } = await asking('Error querying evaluations', client.evaluations.list({ query }));
      if (await printFormatted(call, value)) return 0;
      const rows = flags.given('job') ? [...value].sort((a, b) => b.CreateIndex - a.CreateIndex) : value;
      terminal.out(rows.length === 0 ? 'No evals found' : table(rows, flags.bool('verbose')));
      if (nextToken !== '') {
        const given = (['job', 'status', 'filter', 'per-page'] as const).filter((name) => flags.given(name));
        const repeat = given.map((name) => ` -${name} ${flags.string(name)}`).join('');
        terminal.out(
          `\nResults have been paginated. To get the next page run:\n\ndrover eval list${repeat} -page-token ${nextToken}`,
        );
      }
      return 0;
    });
  },
};

function table(evaluations: readonly Evaluation[], verbose: boolean): string {
  const rows = evaluations.map((row) => [
    ...[
      formatId(row.ID, verbose),
      row.Priority,
      row.TriggeredBy,
      row.JobID,
      row.Namespace,
      formatId(row.NodeID, verbose),
      row.Status,
    ],
    placementFailed(row),
  ]);
  return formatTable([
    ['ID', 'Priority', 'Triggered By', 'Job ID', 'Namespace', 'Node ID', 'Status', 'Placement Failures'],
    ...rows,
  ]);
}

export function placementFailed(evaluation: Evaluation): string {
  return evaluation.Status === 'blocked'
    ? 'N/A - In Progress'
    : String(Object.keys(evaluation.FailedTGAllocs ?? {}).length > 0);
}
