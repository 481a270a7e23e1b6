import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { deploymentTable } from './deployment-list.ts';
import { deploymentView } from './deployment-view.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job deployments [options] <job>',
  help: "Lists a job's deployments, newest first.",
  flags: {
    latest: { kind: 'bool', help: 'Show the latest.' },
    all: { kind: 'bool', help: 'Also those of an earlier job of this name.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    ...formatFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'job deployments', 'This command takes one argument: <job>', 1);
    const verbose = flags.bool('verbose');
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const query = { namespace, all: flags.bool('all') || undefined };
      if (flags.bool('latest')) {
        const { value } = await asking('Error retrieving deployments', client.jobs.latestDeployment(id, { query }));
        if (await printFormatted(call, value)) return 0;
        terminal.out(value === null ? 'No deployment found' : deploymentView(value, { verbose, job: true }));
        return 0;
      }
      const { value } = await asking('Error retrieving deployments', client.jobs.deployments(id, { query }));
      if (!(await printFormatted(call, value))) terminal.out(deploymentTable(value, verbose));
      return 0;
    });
  },
};
