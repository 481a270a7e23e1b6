import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { pageFlags, pageQuery, poolTable, sayNextPage } from './node-pool.ts';

export const command: Command = {
  usage: 'node pool list [options]',
  help: 'Lists the node pools.',
  flags: { ...pageFlags, ...formatFlags },
  client: true,
  async run(call) {
    takes(call, 'node pool list', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const reading = client.nodes.pools({ query: pageQuery(call) });
      const { value, nextToken } = await asking('Error querying node pools', reading);
      if (await printFormatted(call, value)) return 0;
      call.terminal.out(poolTable(value));
      sayNextPage(call, 'node pool list', nextToken);
      return 0;
    });
  },
};
