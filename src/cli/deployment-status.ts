import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { resolveDeployment } from './deployment-change.ts';
import { deploymentView } from './deployment-view.ts';
import { monitorDeployment } from './evaluation-monitor.ts';
import { formatFlags, printFormatted, wantsFormat } from './formatted.ts';

export const command: Command = {
  usage: 'deployment status [options] <deployment>',
  help: 'Shows how far the roll-out of a job version is.',
  flags: {
    monitor: { kind: 'bool', help: 'Follow it until it is decided.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    ...formatFlags,
    wait: {
      kind: 'duration',
      value: '<duration>',
      help: 'Accepted for compatibility: changes are shown as they come.',
      hidden: true,
    },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'deployments',
  async run(call) {
    const { flags, terminal, interrupted, args } = call;
    takes(call, 'deployment status', 'This command takes one argument: <deployment id>', wantsFormat(call) ? 0 : 1, 1);
    const verbose = flags.bool('verbose');
    return withClient(call, async (client) => {
      if (args[0] === undefined) {
        const { value } = await asking('Error retrieving deployments', client.deployments.list());
        await printFormatted(call, value);
        return 0;
      }
      const deployment = await resolveDeployment(client, args[0]);
      if (flags.bool('monitor')) return monitorDeployment({ client, terminal, verbose, interrupted }, deployment.ID);
      if (!(await printFormatted(call, deployment))) terminal.out(deploymentView(deployment, { verbose, job: true }));
      return 0;
    });
  },
};
