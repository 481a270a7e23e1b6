import type { Command } from './command.ts';
import { deploymentCommand } from './deployment-change.ts';

export const command: Command = deploymentCommand({
  name: 'unblock',
  help: 'Accepted for compatibility: only deployments over several regions block.',
  doing: 'unblocking',
  done: 'unblocked',
  ask: (client, id) => client.deployments.unblock(id),
});
