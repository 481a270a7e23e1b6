import type { Command } from './command.ts';
import { deploymentCommand } from './deployment-change.ts';

export const command: Command = deploymentCommand({
  name: 'promote',
  help: 'Takes the canaries of a deployment for good: the other allocations follow. Without -group those of all groups.',
  flags: { group: { kind: 'strings', value: '<group>', help: 'Only this group; may be repeated.' } },
  doing: 'promoting',
  done: 'promoted',
  ask: (client, id, { flags }) => client.deployments.promote(id, flags.strings('group')),
});
