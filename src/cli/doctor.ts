import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examineHost, type HostExamination } from '../agent/examine-host.ts';
import { rankOf, rungs } from '../model/isolation-ladder.ts';
import { takes } from './client-context.ts';
import type { Call, Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatTable, heading, type Row } from './table.ts';
import type { Terminal } from './terminal.ts';

export const command: Command = {
  usage: 'doctor [options]',
  help: `Finds out what this host can enforce, by doing it: every mechanism is tried, and trial tasks are started. Says for each rung that
is not reached what raises the host to it. Run it as the user that runs the agent; no agent is needed.`,
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
  const parts = [rungTable(terminal, found)];
  if (found.Climbs.length > 0) {
    const rows = found.Climbs.flatMap(({ Rung, Remedies }) =>
      Remedies.map(({ Command, Because }, at): Row => [at === 0 ? Rung : ' ', Command, Because]),
    );
    parts.push(`${heading(terminal, 'To Climb')}\n${formatTable([['Rung', 'Do', 'Because'], ...rows])}`);
  }
  if (found.Beside.length > 0) {
    const rows = found.Beside.map(({ Mechanism, Command, Because }): Row => [Mechanism, Command, Because]);
    parts.push(`${heading(terminal, 'Beside the Rungs')}\n${formatTable([['Mechanism', 'Do', 'Because'], ...rows])}`);
  }
  const mechanisms = found.Mechanisms.map(
    ({ Name, Ok, Evidence, DurationMs }): Row => [
      Ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗'),
      Name,
      `${DurationMs} ms`,
      Evidence,
    ],
  );
  parts.push(`${heading(terminal, 'Mechanisms')}\n${formatTable([[' ', 'Name', 'Took', 'Evidence'], ...mechanisms])}`);
  return parts.join('\n\n');
}

function rungTable(terminal: Terminal, { User, Cgroups, OwnNetwork, HostNetwork }: HostExamination): string {
  const mark = (rung: string, reached: string, lacks: readonly string[]): string =>
    rankOf(rung as never) <= rankOf(reached as never)
      ? terminal.paint('green', '✓')
      : `${terminal.paint('red', '✗')}${lacks.length === 0 ? '' : ` ${lacks.join(', ')}`}`;
  const rows = rungs
    .filter((rung) => rankOf(rung) <= rankOf('container'))
    .map(
      (rung): Row => [
        rung,
        mark(rung, OwnNetwork.Rung, OwnNetwork.Lacks[rung] ?? []),
        mark(rung, HostNetwork.Rung, HostNetwork.Lacks[rung] ?? []),
      ],
    );
  return [
    `${heading(terminal, `This host, as ${User}`)}: cgroups ${Cgroups}; exec by ${OwnNetwork.Runtime} and ${HostNetwork.Runtime}`,
    formatTable([['Rung', 'Own Network', 'Host Network'], ...rows]),
  ].join('\n');
}
