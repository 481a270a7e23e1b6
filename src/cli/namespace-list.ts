import { compareText } from '../lib/order.ts';
import type { Namespace } from '../model/namespace.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'namespace list [options]',
  help: 'Lists the namespaces.',
  flags: formatFlags,
  client: true,
  async run(call) {
    takes(call, 'namespace list', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking(
        'Error retrieving namespaces',
        client.api.get<readonly Namespace[]>('/v1/namespaces'),
      );
      if (await printFormatted(call, value)) return 0;
      const rows = [...value].sort((a, b) => compareText(a.Name, b.Name)).map((row) => [row.Name, row.Description]);
      call.terminal.out(formatTable([['Name', 'Description'], ...rows]));
      return 0;
    });
  },
};
