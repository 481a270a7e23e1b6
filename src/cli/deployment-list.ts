import type { Deployment } from '../model/deployment.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatId } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'deployment list [options]',
  help: 'Lists deployments: the roll-outs of job versions, newest first.',
  flags: {
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    filter: { kind: 'string', value: '<expression>', help: 'Only those for which the expression holds.' },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'deployment list', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking(
        'Error retrieving deployments',
        client.deployments.list({ query: { filter: flags.string('filter') } }),
      );
      if (!(await printFormatted(call, value))) terminal.out(deploymentTable(value, flags.bool('verbose')));
      return 0;
    });
  },
};

export function deploymentTable(deployments: readonly Deployment[], verbose: boolean): string {
  if (deployments.length === 0) return 'No deployments found';
  const rows = [...deployments]
    .sort((a, b) => b.CreateIndex - a.CreateIndex)
    .map((row) => [formatId(row.ID, verbose), row.JobID, row.JobVersion, row.Status, row.StatusDescription]);
  return formatTable([['ID', 'Job ID', 'Job Version', 'Status', 'Description'], ...rows]);
}
