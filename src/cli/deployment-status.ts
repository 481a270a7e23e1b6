import type { DroverClient } from '../api-client/index.ts';
import type { Deployment } from '../model/deployment.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { deploymentView } from './deployment-view.ts';
import { monitorDeployment } from './evaluation-monitor.ts';
import { formatFlags, printFormatted, wantsFormat } from './formatted.ts';
import { sanitizeUuidPrefix } from './resolve-id.ts';

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
      const deployment = await resolve(client, args[0]);
      if (flags.bool('monitor')) return monitorDeployment({ client, terminal, verbose, interrupted }, deployment.ID);
      if (!(await printFormatted(call, deployment))) terminal.out(deploymentView(deployment, { verbose, job: true }));
      return 0;
    });
  },
};

async function resolve(client: DroverClient, prefix: string): Promise<Deployment> {
  if (prefix.length === 1) throw new CommandError('Identifier must contain at least two characters.');
  const { value } = await asking(
    'Error retrieving deployment',
    client.deployments.list({ query: { prefix: sanitizeUuidPrefix(prefix) } }),
  );
  if (value.length === 0)
    throw new CommandError(`Error retrieving deployment: Deployment ID "${prefix}" matched no deployments`);
  if (value.length > 1)
    throw new CommandError(`Prefix matched multiple deployments\n\n${value.map((row) => row.ID).join('\n')}`);
  return value[0]!;
}
