import type { JobStub } from '../api-client/index.ts';
import { path } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { pageFlags, pageQuery, resolvePool, sayNextPage } from './node-pool.ts';
import { jobTable } from './resolve-id.ts';

export const command: Command = {
  usage: 'node pool jobs [options] <node-pool>',
  help: 'Lists the jobs of a pool.',
  flags: { ...pageFlags, ...formatFlags },
  client: true,
  async run(call) {
    takes(call, 'node pool jobs', 'This command takes one argument: <node-pool>', 1);
    return withClient(call, async (client) => {
      const pool = await resolvePool(client, call.args[0]!);
      const reading = client.api.get<readonly JobStub[]>(path`/v1/node/pool/${pool.Name}/jobs`, {
        query: pageQuery(call),
      });
      const { value, nextToken } = await asking('Error querying jobs', reading);
      if (await printFormatted(call, value)) return 0;
      call.terminal.out(value.length === 0 ? 'No jobs' : jobTable(value, client.api.options.namespace === '*'));
      sayNextPage(call, `node pool jobs ${pool.Name}`, nextToken);
      return 0;
    });
  },
};
