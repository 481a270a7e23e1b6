import { existsSync } from 'node:fs';
import type { DroverClient, JobExplanation } from '../api-client/index.ts';
import { rankOf } from '../model/isolation-ladder.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Call, Command } from './command.ts';
import type { FlagValues } from './flags.ts';
import { formatId } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { jobFileFlags, readJobFile } from './job-file.ts';
import { resolveJob } from './resolve-id.ts';
import { formatTable, heading, type Row } from './table.ts';
import type { Terminal } from './terminal.ts';

export const command: Command = {
  usage: 'explain [options] <job | path>',
  help: `Shows for each node and each task of a job whether it could be placed there, every reason why not, the rung of isolation it
would get, and what is missing for the next. The job is one that was submitted, or a file.`,
  flags: {
    var: jobFileFlags['var']!,
    'var-file': jobFileFlags['var-file']!,
    ...formatFlags,
    verbose: { kind: 'bool', help: 'Whole ids, and all that is missing for the next rung.' },
  },
  client: true,
  complete: 'jobs',
  run,
};

async function run(call: Call): Promise<number> {
  takes(call, 'explain', 'This command takes one argument: <job | path>', 1);
  const explanation = await withClient(call, (client) => ask(call, client, call.args[0]!));
  if (await printFormatted(call, explanation)) return 0;
  const verbose = call.flags.bool('verbose');
  call.terminal.out(explanation.Groups.map((group) => groupView(call.terminal, group, verbose)).join('\n\n'));
  return 0;
}

async function ask(call: Call, client: DroverClient, what: string): Promise<JobExplanation> {
  if (what === '-' || existsSync(what)) {
    const { job } = await readJobFile({ ...call, flags: ofFile(call.flags, what) }, what);
    return (await asking('Error explaining job', client.jobs.explainFile(job))).value;
  }
  const { id, namespace } = await resolveJob(client, what);
  return (await asking('Error explaining job', client.jobs.explain(id, { query: { namespace } }))).value;
}

/** Here `-json` is about what is printed; a file says by its name what it is. */
function ofFile(flags: FlagValues, path: string): FlagValues {
  const own: { readonly [name: string]: boolean } = { json: path.endsWith('.json'), 'hcl2-strict': true };
  return {
    bool: (name, otherwise) => own[name] ?? flags.bool(name, otherwise),
    string: (name) => flags.string(name),
    int: (name) => flags.int(name),
    duration: (name) => flags.duration(name),
    strings: (name) => flags.strings(name),
    given: (name) => flags.given(name),
  };
}

type Group = JobExplanation['Groups'][number];
type Placement = Group['Nodes'][number];
type Task = Placement['Tasks'][number];

function groupView(terminal: Terminal, group: Group, verbose: boolean): string {
  const names =
    group.Nodes[0]?.Tasks.map(({ Name, Driver, Choice }) => `${Name} (${Choice === undefined ? Driver : 'auto'})`) ??
    [];
  const rows = group.Nodes.map((node): Row => {
    const placed = node.Reasons.length === 0;
    return [
      formatId(node.NodeID, verbose),
      node.NodeName,
      placed ? terminal.paint('green', 'yes') : terminal.paint('red', 'no'),
      ...node.Tasks.map((task) => cell(terminal, task)),
    ];
  });
  const parts = [
    `${heading(terminal, `Task Group "${group.Name}"`)}\n${formatTable([['Node ID', 'Node Name', 'Placeable', ...names], ...rows])}`,
  ];
  const why = group.Nodes.flatMap((node) =>
    node.Reasons.map(({ Kind, Text }): Row => [formatId(node.NodeID, verbose), Kind, Text]),
  );
  if (why.length > 0) parts.push(`Why not:\n${formatTable([['Node ID', 'Kind', 'Reason'], ...why])}`);
  const choices = group.Nodes.flatMap((node) =>
    node.Tasks.flatMap(({ Name, Choice }): Row[] =>
      Choice === undefined
        ? []
        : [[formatId(node.NodeID, verbose), Name, Choice.Driver === '' ? 'none' : Choice.Driver, Choice.Reason]],
    ),
  );
  if (choices.length > 0)
    parts.push(`Drivers of "auto":\n${formatTable([['Node ID', 'Task', 'Driver', 'Because'], ...choices])}`);
  const refusals = group.Nodes.flatMap((node) =>
    node.Tasks.flatMap(({ Name, Refusals }) =>
      Refusals.map((reason): Row => [formatId(node.NodeID, verbose), Name, reason]),
    ),
  );
  if (refusals.length > 0)
    parts.push(`Would be refused at the start:\n${formatTable([['Node ID', 'Task', 'Because'], ...refusals])}`);
  const silent = notAsked(group);
  if (silent.length > 0)
    parts.push(`Not asked what it would refuse:\n${formatTable([['Task', 'Because', 'Nodes'], ...silent])}`);
  const climbs = climbsOf(group, verbose);
  if (climbs.length > 0)
    parts.push(
      `To the next rung:\n${formatTable([['Task', 'Rung', 'Missing', 'Because', 'Fix', 'Nodes'], ...climbs])}`,
    );
  return parts.join('\n\n');
}

function cell(terminal: Terminal, task: Task): string {
  if (task.Choice?.Driver === '') return terminal.paint('red', 'no driver');
  if (task.Refusals.length > 0) return terminal.paint('red', '✗ refused');
  if (task.Rung === '') return terminal.paint('dim', 'not told');
  const colour = task.Missing.length > 0 ? 'red' : rankOf(task.Rung) >= rankOf('sandbox') ? 'green' : 'yellow';
  const floor = task.Floor === 'none' ? '' : ` (floor ${task.Floor})`;
  return terminal.paint(colour, `${task.Missing.length > 0 ? '✗ ' : ''}${task.Rung}${floor}`);
}

/** One line for each reason; where the task would not be placed nobody need be asked. */
function notAsked(group: Group): readonly Row[] {
  const seen: Counts = new Map();
  for (const node of group.Nodes.filter(({ Reasons }) => Reasons.length === 0))
    for (const { Name, NotAsked } of node.Tasks) if (NotAsked !== '') count(seen, [Name, NotAsked]);
  return counted(seen);
}

type Counts = Map<string, { readonly row: Row; nodes: number }>;

function count(seen: Counts, row: Row): void {
  const known = seen.get(row.join('\0'));
  if (known === undefined) seen.set(row.join('\0'), { row, nodes: 1 });
  else known.nodes++;
}

const counted = (seen: Counts): readonly Row[] => [...seen.values()].map(({ row, nodes }) => [...row, nodes]);

/** One line of remedy for each task and rung; nodes with the same one share it. */
function climbsOf(group: Group, verbose: boolean): readonly Row[] {
  const seen: Counts = new Map();
  for (const node of group.Nodes) {
    for (const task of node.Tasks) {
      // kernels of their own are another driver's
      if (task.Next === null || rankOf(task.Next.Rung) > rankOf('container')) continue;
      for (const line of verbose ? task.Next.Lines : task.Next.Lines.slice(0, 1))
        count(seen, [task.Name, task.Next.Rung, line.Name, line.Reason, line.Fix]);
    }
  }
  return counted(seen);
}
