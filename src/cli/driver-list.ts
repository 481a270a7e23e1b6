import type { ListedDriver } from '../client/driver-programs.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolveNode } from './resolve-id.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'driver list [options]',
  help: `Lists the task drivers of a node: those of plugin_dir with the program that runs behind each (version, process, checksum, tasks),
then those of Drover itself. A plugin that cannot be used, and a driver that is not healthy, are listed with the reason.`,
  flags: {
    'node-id': { kind: 'string', value: '<node>', help: "The node. Default: the agent's own." },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    takes(call, 'driver list', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const prefix = call.flags.string('node-id');
      const id = prefix === undefined ? undefined : (await resolveNode(client, prefix)).ID;
      const reading = client.api.get<readonly ListedDriver[]>('/v1/client/drivers', { query: { node_id: id } });
      const { value } = await asking('Error reading drivers', reading);
      if (await printFormatted(call, value)) return 0;
      const rows = value.map((row) => [
        row.Driver || '<unknown>',
        row.Version,
        row.File || '<built in>',
        row.File === '' ? '<agent>' : String(row.Pid || '<none>'),
        String(row.Tasks),
        row.Checksum.slice(0, 'sha256:'.length + 12) || '<none>',
        statusOf(row),
      ]);
      call.terminal.out(
        formatTable([['Driver', 'Version', 'Plugin', 'Process', 'Tasks', 'Checksum', 'Status'], ...rows]),
      );
      return 0;
    });
  },
};

function statusOf({ Problem, Detected, Healthy, HealthDescription }: ListedDriver): string {
  if (Problem !== '') return Problem;
  return Healthy ? 'up' : `${Detected ? 'unhealthy' : 'not detected'}: ${HealthDescription || 'it told nothing yet'}`;
}
