import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { resolveAllocation } from './resolve-id.ts';

export const command: Command = {
  usage: 'alloc stop [options] <allocation>',
  help: 'Stops an allocation; the job stays as it is, so the scheduler places another in its stead.',
  flags: {
    detach: { kind: 'bool', help: "Print the evaluation's id and return at once." },
    'no-shutdown-delay': { kind: 'bool', help: 'Leave out the shutdown delay of group and tasks.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'allocations',
  async run(call) {
    const { flags, terminal, interrupted } = call;
    takes(call, 'alloc stop', 'This command takes one argument: <alloc-id>', 1);
    return withClient(call, async (client) => {
      const { ID } = await resolveAllocation(client, call.args[0]!);
      const { value } = await asking(
        'Error stopping allocation',
        client.allocations.stop(ID, flags.bool('no-shutdown-delay')),
      );
      if (!flags.bool('detach'))
        return monitorEvaluation({ client, terminal, verbose: flags.bool('verbose'), interrupted }, value.EvalID);
      terminal.out(value.EvalID);
      return 0;
    });
  },
};
