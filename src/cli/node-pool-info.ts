import { formatDuration } from '../lib/duration.ts';
import { sortedEntries } from '../lib/order.ts';
import type { NodePool } from '../model/node-pool.ts';
import { takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolvePool } from './node-pool.ts';
import { formatPairs, heading } from './table.ts';

export const command: Command = {
  usage: 'node pool info [options] <node-pool>',
  help: 'Shows a node pool: its description, metadata and how the scheduler places on it.',
  flags: formatFlags,
  client: true,
  async run(call) {
    takes(call, 'node pool info', 'This command takes one argument: <node-pool>', 1);
    return withClient(call, async (client) => {
      const pool = await resolvePool(client, call.args[0]!);
      if (await printFormatted(call, pool)) return 0;
      const meta = sortedEntries(pool.Meta);
      const section = (title: string, body: string): string => `${heading(call.terminal, title)}\n${body}`;
      const parts = [
        overview(pool),
        section('Metadata', meta.length === 0 ? 'No metadata' : formatPairs(meta)),
        section('Scheduler Configuration', scheduling(pool)),
      ];
      call.terminal.out(parts.join('\n\n'));
      return 0;
    });
  },
};

function overview(pool: NodePool): string {
  return formatPairs([
    ['Name', pool.Name],
    ['Description', pool.Description],
    ['Node Identity TTL', formatDuration(pool.NodeIdentityTTL)],
  ]);
}

function scheduling({ SchedulerConfiguration: configuration }: NodePool): string {
  if (configuration === null) return 'No scheduler configuration';
  const rows = Object.entries(configuration).filter(([, value]) => value !== null && value !== '');
  return rows.length === 0 ? 'No scheduler configuration' : formatPairs(rows as [string, string | boolean][]);
}
