import type { DroverClient } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { DesiredUpdates } from '../model/plan-annotations.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { placementFailed } from './eval-list.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { formatAgo, formatId, formatTime } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { placementFailures } from './placement-failures.ts';
import { sanitizeUuidPrefix } from './resolve-id.ts';
import { formatPairs, formatTable, heading } from './table.ts';
import type { Terminal } from './terminal.ts';

export const command: Command = {
  usage: 'eval status [options] <evaluation>',
  help: 'Shows an evaluation: what triggered it, what it led to, and every reason why something could not be placed.',
  flags: {
    monitor: { kind: 'bool', help: 'Follow it until it ends.' },
    verbose: { kind: 'bool', help: 'Whole ids, exact times.' },
    ...formatFlags,
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'evaluations',
  async run(call) {
    const { args, flags, terminal, interrupted } = call;
    takes(call, 'eval status', 'This command takes one argument: <evaluation>', 1);
    const verbose = flags.bool('verbose');
    return withClient(call, async (client) => {
      const id = await resolve(client, args[0]!);
      if (flags.bool('monitor')) return monitorEvaluation({ client, terminal, verbose, interrupted }, id);
      const { value } = await asking(
        'Error querying evaluation',
        client.evaluations.read(id, { query: { related: true } }),
      );
      if (!(await printFormatted(call, value))) terminal.out(show(terminal, value, verbose));
      return 0;
    });
  },
};

async function resolve(client: DroverClient, prefix: string): Promise<string> {
  if (prefix.length === 1) throw new CommandError('Identifier must contain at least two characters.');
  const { value } = await asking(
    'Error querying evaluation',
    client.evaluations.list({ query: { prefix: sanitizeUuidPrefix(prefix) } }),
  );
  if (value.length === 0) throw new CommandError(`No evaluation(s) with prefix or id "${prefix}" found`);
  if (value.length > 1)
    throw new CommandError(`Prefix matched multiple evaluations\n\n${value.map((row) => row.ID).join('\n')}`);
  return value[0]!.ID;
}

function show(terminal: Terminal, evaluation: Evaluation, verbose: boolean): string {
  const parts = [overview(evaluation, verbose)];
  const section = (title: string, body: string): number => parts.push(`${heading(terminal, title)}\n${body}`);
  const related = evaluation.RelatedEvals ?? [];
  if (related.length > 0) {
    const rows = related.map((row) => [
      formatId(row.ID, verbose),
      row.Priority,
      row.TriggeredBy,
      formatId(row.NodeID, verbose),
      row.Status,
      row.StatusDescription,
    ]);
    section(
      'Related Evaluations',
      formatTable([['ID', 'Priority', 'Triggered By', 'Node ID', 'Status', 'Description'], ...rows]),
    );
  }
  const updates = evaluation.PlanAnnotations?.DesiredTGUpdates;
  if (updates != null) section('Plan Annotations', annotations(updates, verbose));
  const failures = sortedEntries(evaluation.FailedTGAllocs);
  if (failures.length > 0) {
    const text = failures.map(([group, metric]) => {
      const count = metric.CoalescedFailures + 1;
      return [
        `Task Group "${group}" (failed to place ${count} allocation${count === 1 ? '' : 's'}):`,
        ...placementFailures(metric, '  '),
      ].join('\n');
    });
    section('Failed Placements', text.join('\n\n'));
    if (evaluation.BlockedEval !== '')
      parts.push(
        `Evaluation "${formatId(evaluation.BlockedEval, verbose)}" waiting for additional capacity to place remainder`,
      );
  }
  return parts.join('\n\n');
}

function overview(row: Evaluation, verbose: boolean): string {
  const id = (text: string): string => formatId(text, verbose);
  const time = verbose ? formatTime : formatAgo;
  return formatPairs([
    ['ID', id(row.ID)],
    ['Create Time', time(row.CreateTime)],
    ['Modify Time', time(row.ModifyTime)],
    ['Status', row.Status],
    ['Status Description', row.StatusDescription || row.Status],
    ['Type', row.Type],
    ['TriggeredBy', row.TriggeredBy],
    ...(row.JobID === ''
      ? []
      : ([
          ['Job ID', row.JobID],
          ['Namespace', row.Namespace],
        ] as [string, string][])),
    ...(row.NodeID === '' ? [] : ([['Node ID', row.NodeID]] as [string, string][])),
    ['Priority', row.Priority],
    ['Placement Failures', placementFailed(row)],
    ['Previous Eval', id(row.PreviousEval)],
    ['Next Eval', id(row.NextEval)],
    ['Blocked Eval', id(row.BlockedEval)],
  ]);
}

function annotations(updates: { readonly [group: string]: DesiredUpdates }, verbose: boolean): string {
  const columns: readonly (readonly [string, keyof DesiredUpdates])[] = [
    ['Ignore', 'Ignore'],
    ['Place', 'Place'],
    ['Stop', 'Stop'],
    ['InPlace', 'InPlaceUpdate'],
    ['Destructive', 'DestructiveUpdate'],
    ...(verbose
      ? ([
          ['Migrate', 'Migrate'],
          ['Canary', 'Canary'],
          ['Preemptions', 'Preemptions'],
          ['Reschedule Now', 'RescheduleNow'],
          ['Reschedule Later', 'RescheduleLater'],
          ['Disconnect', 'Disconnect'],
          ['Reconnect', 'Reconnect'],
        ] as const)
      : []),
  ];
  const rows = sortedEntries(updates);
  return formatTable([
    ['Task Group', ...columns.map(([title]) => title)],
    ...rows.map(([group, update]) => [group, ...columns.map(([, key]) => update[key] ?? 0)]),
  ]);
}
