import { formatJson } from '../lib/json.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { heading } from './table.ts';

export const command: Command = {
  usage: 'agent-info [options]',
  help: 'Shows what the agent that is asked says of itself, by section.',
  flags: {
    json: { kind: 'bool', help: "Print the API's JSON." },
    t: { kind: 'string', value: '<template>', help: 'Print with a Go template.' },
  },
  client: true,
  async run(call) {
    takes(call, 'agent-info', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking('Error querying agent info', client.agent.self());
      if (call.flags.bool('json')) call.terminal.out(formatJson(value, 4));
      else {
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
