import { collectText } from '../api-client/index.ts';
import { formatJson } from '../lib/json.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';

export const command: Command = {
  usage: 'operator metrics [options]',
  help: 'Prints the metrics of the agent that is asked.',
  flags: {
    pretty: { kind: 'bool', help: 'Indented.' },
    format: { kind: 'string', value: '<format>', help: '"prometheus" for its text format. Default JSON.' },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'operator metrics', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      if (flags.given('format')) {
        const reading = client.api.raw({
          method: 'GET',
          path: '/v1/metrics',
          query: { format: flags.string('format') },
        });
        const response = await asking('Error getting metrics', reading);
        terminal.out((await collectText(response.body)).trimEnd());
        return response.status === 200 ? 0 : 1;
      }
      const { value } = await asking('Error getting metrics', client.agent.metrics());
      if (!(await printFormatted(call, value))) terminal.out(formatJson(value, flags.bool('pretty') ? 4 : 0));
      return 0;
    });
  },
};
