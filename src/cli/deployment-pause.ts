import type { Command } from './command.ts';
import { deploymentCommand } from './deployment-change.ts';

export const command: Command = deploymentCommand({
  name: 'pause',
  help: 'Holds a deployment: nothing more is rolled out until it is resumed.',
  doing: 'pausing',
  done: 'paused',
  ask: (client, id) => client.deployments.pause(id, true),
});
