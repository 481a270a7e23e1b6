import { sortedEntries } from '../lib/order.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolveNode } from './resolve-id.ts';
import { formatPairs, heading } from './table.ts';

interface NodeMeta {
  readonly Meta: { readonly [key: string]: string } | null;
  readonly Dynamic: { readonly [key: string]: string | null } | null;
  readonly Static: { readonly [key: string]: string } | null;
}

export const command: Command = {
  usage: 'node meta read [options]',
  help: "Prints a node's metadata: all of it, what was set at run time, and what its configuration says.",
  flags: {
    'node-id': { kind: 'string', value: '<node>', help: "The node. Default: the agent's own." },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    takes(call, 'node meta read', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const prefix = call.flags.string('node-id');
      const id = prefix === undefined ? undefined : (await resolveNode(client, prefix)).ID;
      const reading = client.api.get<NodeMeta>('/v1/client/metadata', { query: { node_id: id } });
      const { value } = await asking('Error reading dynamic node metadata', reading);
      if (await printFormatted(call, value)) return 0;
      const section = (title: string, meta: { readonly [key: string]: string | null } | null): string => {
        const rows = sortedEntries(meta);
        return `${heading(call.terminal, title)}\n${formatPairs(rows.map(([key, text]) => [key, text ?? '<unset>']))}`;
      };
      const dynamic = Object.keys(value.Dynamic ?? {}).length > 0 ? [section('Dynamic Meta', value.Dynamic)] : [];
      call.terminal.out(
        [section('All Meta', value.Meta), ...dynamic, section('Static Meta', value.Static)].join('\n\n'),
      );
      return 0;
    });
  },
};
