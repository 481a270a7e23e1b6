import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examineHost, type HostExamination, type TrialResult } from '../agent/examine-host.ts';
import { sentenceKinds } from '../isolation/remedy.ts';
import { type IsolationRung, rankOf, rungs } from '../model/isolation-ladder.ts';
import { takes } from './client-context.ts';
import type { Call, Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatPairs, formatTable, heading, type Row } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrap } from './wrap.ts';

export const command: Command = {
  usage: 'doctor [options]',
  help: `Finds out what this host can enforce, by doing it: every mechanism is tried, and trial tasks are started. Says for each rung that
is not reached what raises the host to it. Run it as the user that runs the agent; no agent is needed. The exit code is 0 whatever is found, and 1 where it
could not be found out; scripts read -json.`,
  flags: {
    'data-dir': {
      kind: 'string',
      value: '<path>',
      help: "The agent's data_dir: whether tasks can reach it is looked at too.",
    },
    'cgroup-parent': {
      kind: 'string',
      value: '<name>',
      help: 'Where groups of tasks are made. Default "drover.slice".',
    },
    ...formatFlags,
  },
  client: false,
  run,
};

async function run(call: Call): Promise<number> {
  takes(call, 'doctor', 'This command takes no arguments', 0);
  const scratch = await mkdtemp(join(tmpdir(), 'drover-doctor-'));
  // trial tasks have other uids, and pass through
  await chmod(scratch, 0o711);
  try {
    const found = await examineHost({
      stateDirectory: join(scratch, 'state'),
      dataDirectory: call.flags.string('data-dir') || scratch,
      isAgents: call.flags.string('data-dir') !== undefined,
      cgroupParent: call.flags.string('cgroup-parent') || 'drover.slice',
    });
    if (!(await printFormatted(call, found))) call.terminal.out(view(call.terminal, found));
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function view(terminal: Terminal, found: HostExamination): string {
  const climbs = found.Climbs.flatMap(({ Rung, Remedies }) =>
    Remedies.map((remedy, at) => advice(terminal, at === 0 ? Rung : '', remedy, !sentenceKinds.includes(remedy.Kind))),
  );
  const beside = found.Beside.map((remedy) => advice(terminal, remedy.Mechanism, remedy));
  const mechanisms = found.Mechanisms.map(
    ({ Name, Ok, Evidence, DurationMs }): Row => [
      Ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗'),
      Name,
      `${DurationMs} ms`,
      Evidence,
    ],
  );
  return [
    rungTable(terminal, found),
    ...(climbs.length === 0 ? [] : [[heading(terminal, 'To Climb'), ...climbs].join('\n')]),
    ...(beside.length === 0 ? [] : [[heading(terminal, 'Beside the Rungs'), ...beside].join('\n')]),
    `${heading(terminal, 'Mechanisms')}\n${formatTable([[' ', 'Name', 'Took', 'Evidence'], ...mechanisms])}`,
  ].join('\n\n');
}

/** A command has a line of its own, to be copied, however long; words are for reading. */
function advice(
  terminal: Terminal,
  title: string,
  { Command, Because }: HostExamination['Beside'][number],
  isCommand = true,
): string {
  const column = 11;
  const inside = (text: string): readonly string[] => wrap(text, widest - column - 1);
  const because = inside(`because: ${Because}`).map((line) => terminal.paint('dim', line));
  const [first, ...others] = [...(isCommand ? [Command] : inside(Command)), ...because];
  return [`${title.padEnd(column)} ${first}`, ...others.map((line) => `${' '.repeat(column)} ${line}`)].join('\n');
}

function rungTable(terminal: Terminal, { User, Cgroups, OwnNetwork, HostNetwork }: HostExamination): string {
  const shown = rungs.filter((rung) => rankOf(rung) <= rankOf('container'));
  const reaches = (rung: IsolationRung, { Rung }: TrialResult): boolean => rankOf(rung) <= rankOf(Rung);
  const mark = (reached: boolean): string => (reached ? terminal.paint('green', '✓') : terminal.paint('red', '✗'));
  const rows = shown.map((rung): Row => [rung, mark(reaches(rung, OwnNetwork)), mark(reaches(rung, HostNetwork))]);
  const lacks = [
    ...shown.flatMap((rung) => lackLines('own network', rung, reaches(rung, OwnNetwork), OwnNetwork)),
    ...shown.flatMap((rung) => lackLines('host network', rung, reaches(rung, HostNetwork), HostNetwork)),
  ];
  return [
    heading(terminal, `This host, as ${User}`),
    formatPairs([
      ['Control Groups', Cgroups],
      ['Own Network', `exec by ${OwnNetwork.Runtime}`],
      ['Host Network', `exec by ${HostNetwork.Runtime}`],
    ]),
    '',
    formatTable([['Rung', 'Own Network', 'Host Network'], ...rows]),
    ...lacks,
  ].join('\n');
}

/** `host network lacks for container: network_namespace, devices`, in lines of a terminal. */
function lackLines(which: string, rung: string, reached: boolean, { Lacks, Runtime }: TrialResult): readonly string[] {
  const [first = '', ...names] = Lacks[rung] ?? [];
  // of what did not even start every line is missing: why is said elsewhere
  if (reached || first === '' || Runtime === 'nothing') return [];
  let line = `${which} lacks for ${rung}: ${first}`;
  const lines: string[] = [];
  for (const name of names) {
    line += ',';
    if (line.length + name.length >= widest) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${name}`;
  }
  return [...lines, line];
}

/** Columns of a terminal. */
const widest = 80;
