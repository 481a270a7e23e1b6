import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { allocationFor, taskFor } from './task-of-allocation.ts';

export const command: Command = {
  usage: 'alloc restart [options] <allocation> [<task>]',
  help: 'Restarts tasks in place: the one named, those that run, or with -all-tasks also those that ended.',
  flags: {
    task: { kind: 'string', value: '<name>', help: 'Only this task.' },
    'all-tasks': { kind: 'bool', help: 'Also tasks that ended, in the order of their lifecycle.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'allocations',
  async run(call) {
    const { flags, args } = call;
    takes(call, 'alloc restart', 'This command takes one or two arguments: <alloc-id> <task-name>', 1, 2);
    const given = flags.string('task') ?? args[1];
    if (given !== undefined && flags.bool('all-tasks'))
      throw new CommandError('The -all-tasks option is not allowed when restarting a specific task.');
    return withClient(call, async (client) => {
      const allocation = await allocationFor(call, client, args[0]!);
      const task = given === undefined ? '' : taskFor(allocation, given);
      await asking(
        'Failed to restart allocation',
        client.allocations.restart(allocation.ID, { task, allTasks: flags.bool('all-tasks') }),
      );
      return 0;
    });
  },
};
