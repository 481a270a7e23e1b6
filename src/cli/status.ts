import { asking, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'status [options] [<identifier>]',
  help: 'Without an argument the list of jobs; with one, whatever it is the (beginning of the) id of: a job, allocation, node, evaluation or deployment.',
  flags: {
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'jobs',
  run,
};

const handlers: { readonly [context: string]: () => Promise<{ readonly command: Command }> } = {
  jobs: () => import('./job-status.ts'),
  allocs: () => import('./alloc-status.ts'),
  nodes: () => import('./node-status.ts'),
  evals: () => import('./eval-status.ts'),
  deployment: () => import('./deployment-status.ts'),
};

async function run(call: Call): Promise<number> {
  const id = call.args[0];
  if (call.args.length > 1)
    throw new CommandError(
      "This command takes either no arguments or one: <identifier>\nFor additional help try 'drover status -help'",
    );
  if (id === undefined) return (await handlers['jobs']!()).command.run(call);
  const { value } = await withClient(call, (client) =>
    asking('Error querying search with id', client.agent.search(id)),
  );
  const found = Object.entries(value.Matches).filter(
    ([context, ids]) => context in handlers && ids !== null && ids.length > 0,
  );
  const exact = found.filter(([, ids]) => ids!.includes(id));
  const chosen = exact.length === 1 ? exact : found;
  if (chosen.length === 0) throw new CommandError(`Unable to resolve ID: "${id}"`);
  if (chosen.length > 1) {
    const list = chosen.map(([context, ids]) => `${context}:\n${ids!.join(', ')}`).join('\n\n');
    throw new CommandError(`Multiple matches found for id "${id}"\n\n${list}`);
  }
  return (await handlers[chosen[0]![0]]!()).command.run(call);
}
