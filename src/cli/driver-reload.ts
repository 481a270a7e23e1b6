import type { DriverReload } from '../client/driver-programs.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolveNode } from './resolve-id.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'driver reload [options]',
  help: `Looks into a node's plugin_dir again. A plugin whose program, arguments or options changed is replaced: the new version starts beside
the old one and takes over every running task, then the old one ends; tasks do not notice. If it does not start, or does not take over
a task, the old one stays. New plugins that a plugin block names are added.

Exits with 1 if something could not be taken up.`,
  flags: {
    'node-id': { kind: 'string', value: '<node>', help: "The node. Default: the agent's own." },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    takes(call, 'driver reload', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const prefix = call.flags.string('node-id');
      const id = prefix === undefined ? undefined : (await resolveNode(client, prefix)).ID;
      const asked = client.api.put<readonly DriverReload[]>('/v1/client/drivers/reload', null, {
        query: { node_id: id },
      });
      const { value } = await asking('Error reloading drivers', asked);
      const failed = value.some(({ Outcome }) => Outcome === 'failed') ? 1 : 0;
      if (await printFormatted(call, value)) return failed;
      if (value.length === 0) call.terminal.out('No plugins');
      else
        call.terminal.out(
          formatTable([
            ['Plugin', 'Outcome', 'Reason'],
            ...value.map(({ File, Outcome, Reason }) => [File, Outcome, Reason || '<none>']),
          ]),
        );
      return failed;
    });
  },
};
