import type { NodeStub } from '../api-client/index.ts';
import { path } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatId } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { pageFlags, pageQuery, resolvePool, sayNextPage } from './node-pool.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'node pool nodes [options] <node-pool>',
  help: 'Lists the nodes of a pool.',
  flags: { verbose: { kind: 'bool', help: 'Print whole ids.' }, ...pageFlags, ...formatFlags },
  client: true,
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'node pool nodes', 'This command takes one argument: <node-pool>', 1);
    return withClient(call, async (client) => {
      const pool = await resolvePool(client, call.args[0]!);
      const reading = client.api.get<readonly NodeStub[]>(path`/v1/node/pool/${pool.Name}/nodes`, {
        query: pageQuery(call),
      });
      const { value, nextToken } = await asking('Error querying nodes', reading);
      if (await printFormatted(call, value)) return 0;
      terminal.out(value.length === 0 ? 'No nodes' : table(value, flags.bool('verbose')));
      sayNextPage(call, `node pool nodes ${pool.Name}`, nextToken);
      return 0;
    });
  },
};

function table(nodes: readonly NodeStub[], verbose: boolean): string {
  const rows = nodes.map((node) => [
    ...[formatId(node.ID, verbose), node.Datacenter, node.Name, node.NodeClass, node.Drain],
    ...[node.SchedulingEligibility, node.Status],
  ]);
  return formatTable([['ID', 'DC', 'Name', 'Class', 'Drain', 'Eligibility', 'Status'], ...rows]);
}
