import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { followFlags, followRegistration } from './follow-registration.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job eval [options] <job>',
  help: 'Has the scheduler look at a job again.',
  flags: {
    'force-reschedule': { kind: 'bool', help: 'Place failed allocations anew even where their policy would not.' },
    ...followFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job eval', 'This command takes one argument: <job>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const asked = client.jobs.evaluate(id, call.flags.bool('force-reschedule'), { query: { namespace } });
      const { value } = await asking('Error evaluating job', asked);
      return followRegistration(call, client, value, (evalId) => `Created eval ID: "${evalId}"`);
    });
  },
};
