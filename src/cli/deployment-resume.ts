import type { Command } from './command.ts';
import { deploymentCommand } from './deployment-change.ts';

export const command: Command = deploymentCommand({
  name: 'resume',
  help: 'Goes on with a deployment that was paused.',
  doing: 'resuming',
  done: 'resumed',
  ask: (client, id) => client.deployments.pause(id, false),
});
