import type { Command } from './command.ts';
import { deploymentCommand } from './deployment-change.ts';

export const command: Command = deploymentCommand({
  name: 'fail',
  help: 'Ends a deployment as failed; where a group says auto_revert the job goes back to its last stable version.',
  doing: 'failing',
  done: 'failed',
  ask: (client, id) => client.deployments.fail(id),
});
