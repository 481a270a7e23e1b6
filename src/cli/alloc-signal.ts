import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { allocationFor, taskFor } from './task-of-allocation.ts';

export const command: Command = {
  usage: 'alloc signal [options] <allocation> [<task>]',
  help: 'Sends a signal to a task, or to every task that runs.',
  flags: {
    s: { kind: 'string', value: '<signal>', help: 'The signal. Default SIGKILL.' },
    task: { kind: 'string', value: '<name>', help: 'Only this task.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'allocations',
  async run(call) {
    const { flags, args } = call;
    takes(call, 'alloc signal', 'This command takes up to two arguments: <alloc-id> <task>', 1, 2);
    return withClient(call, async (client) => {
      const allocation = await allocationFor(call, client, args[0]!);
      const given = flags.string('task') ?? args[1];
      const task = given === undefined ? '' : taskFor(allocation, given);
      await asking(
        'Error signalling allocation',
        client.allocations.signal(allocation.ID, flags.string('s') ?? 'SIGKILL', task),
      );
      return 0;
    });
  },
};
