import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { heading } from './table.ts';

export const command: Command = {
  usage: 'agent-info [options]',
  help: 'Shows what the agent that is asked says of itself, by section.',
  flags: formatFlags,
  client: true,
  async run(call) {
    takes(call, 'agent-info', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking('Error querying agent info', client.agent.self());
      if (!(await printFormatted(call, value))) {
        for (const section of Object.keys(value.stats).sort()) {
          call.terminal.out(heading(call.terminal, section));
          const values = value.stats[section]!;
          for (const key of Object.keys(values).sort()) call.terminal.out(`  ${key} = ${values[key]}`);
        }
      }
      return 0;
    });
  },
};
