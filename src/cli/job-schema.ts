import { apiJobSchema, jobSchema } from '../jobspec/index.ts';
import { type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'job schema [options]',
  help: `Prints a JSON Schema of job files in HCL's JSON syntax, for editors: the blocks and attributes that this version reads.
With -json of jobs in the JSON form of the API, as "job run -json" takes them. Needs no agent.`,
  flags: { json: { kind: 'bool', help: 'The JSON form of the API.' } },
  client: false,
  async run({ args, flags, terminal }) {
    if (args.length > 0) throw new CommandError('This command takes no arguments');
    terminal.out(JSON.stringify(flags.bool('json') ? apiJobSchema() : jobSchema(), null, 2));
    return 0;
  },
};
