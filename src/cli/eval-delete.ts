import { compareText } from '../lib/order.ts';
import type { Evaluation } from '../model/evaluation.ts';
import { asking, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { askPerson } from './question.ts';

const pausing = (paused: boolean): string => `drover operator scheduler set-config -pause-eval-broker=${paused}`;

export const command: Command = {
  usage: 'eval delete [options] [<evaluation>]',
  help: `Deletes evaluations: the one that is named, or all for which a filter holds. For servers that drown in evaluations.
Nothing may be worked on meanwhile: the broker has to be paused, and unpaused afterwards.`,
  flags: {
    filter: { kind: 'string', value: '<expression>', help: 'All for which the expression holds.' },
    yes: { kind: 'bool', help: 'Do not ask.' },
  },
  client: true,
  complete: 'evaluations',
  async run(call) {
    const { args, flags, terminal } = call;
    const filter = flags.string('filter') ?? '';
    if (args.length > 1 || (args.length === 1) === (filter !== ''))
      throw new CommandError('This command takes either one argument: <evaluation>, or -filter');
    return withClient(call, async (client) => {
      const { value } = await asking('Error querying scheduler configuration', client.agent.schedulerConfiguration());
      if (!value.SchedulerConfig.PauseEvalBroker) {
        terminal.out(`Evaluations can be deleted only while nothing works on them. First: "${pausing(true)}"`);
        terminal.out(`Afterwards: "${pausing(false)}"`);
        throw new CommandError('Eval broker is not paused');
      }
      const query = filter === '' ? { prefix: args[0] } : { filter };
      const { value: found } = await asking('Error querying evaluations', client.evaluations.list({ query }));
      const chosen = filter === '' ? found.filter(({ ID }) => ID === args[0] || found.length === 1) : found;
      if (chosen.length === 0)
        throw new CommandError(`No evaluation(s) ${filter === '' ? `with ID "${args[0]}"` : 'match the filter'}`);
      if (!(await mayDelete(call, chosen))) return 0;
      const body = filter === '' ? { EvalIDs: [chosen[0]!.ID] } : { Filter: filter };
      const deleting = client.api.delete<{ readonly Count: number }>('/v1/evaluations', { body });
      const { Count } = (await asking('Error deleting evaluations', deleting)).value;
      terminal.out(`Successfully deleted ${Count} ${Count === 1 ? 'evaluation' : 'evaluations'}`);
      return 0;
    });
  },
};

async function mayDelete({ flags }: Call, chosen: readonly Evaluation[]): Promise<boolean> {
  if (flags.bool('yes')) return true;
  const jobs = [...new Set(chosen.map(({ JobID }) => JobID))].sort(compareText).slice(0, 3).join(', ');
  const what = chosen.length === 1 ? `evaluation ${chosen[0]!.ID}` : `${chosen.length} evaluations`;
  return ['y', 'yes'].includes(await askPerson(`Delete ${what} (of ${jobs})? [y/N] `));
}
