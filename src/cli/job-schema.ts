import { jobSchema } from '../jobspec/index.ts';
import { type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'job schema',
  help: `Prints a JSON Schema of job files in HCL's JSON syntax, for editors: the blocks and attributes that this version reads.
Needs no agent.`,
  flags: {},
  client: false,
  async run({ args, terminal }) {
    if (args.length > 0) throw new CommandError('This command takes no arguments');
    terminal.out(JSON.stringify(jobSchema(), null, 2));
    return 0;
  },
};
