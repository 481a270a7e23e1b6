import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'system reconcile summaries',
  help: 'Counts the summaries of all jobs again.',
  flags: {},
  client: true,
  async run(call) {
    takes(call, 'system reconcile summaries', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      await asking('Error running system summary reconciliation', client.agent.reconcileSummaries());
      return 0;
    });
  },
};
