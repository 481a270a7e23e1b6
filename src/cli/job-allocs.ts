import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { allocationTable, newestFirst, resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job allocs [options] <job>',
  help: "Lists a job's allocations, newest first.",
  flags: {
    all: { kind: 'bool', help: 'Also those of an earlier job of this name.' },
    verbose: { kind: 'bool', help: 'Whole ids, exact times.' },
    ...formatFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'job allocs', 'This command takes one argument: <job>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const query = { namespace, all: flags.bool('all') || undefined };
      const { value } = await asking('Error retrieving allocations', client.jobs.allocations(id, { query }));
      if (await printFormatted(call, value)) return 0;
      terminal.out(allocationTable(newestFirst(value), flags.bool('verbose')));
      return 0;
    });
  },
};
