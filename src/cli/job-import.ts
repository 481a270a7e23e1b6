import { basename, dirname, resolve } from 'node:path';
import { importCompose } from '../job/compose/import-compose.ts';
import { utf8Text } from '../lib/utf8-text.ts';
import { type Command, CommandError } from './command.ts';
import { orCommandError, readGiven, writeNew } from './given-file.ts';

export const command: Command = {
  usage: 'job import [options] <compose.yaml>',
  help: `Prints a job file made from a Compose file: each service becomes a group with one task of the docker driver. What has no like in
a job, or needs a look, is named in a comment and on standard error. "-" reads standard input. Needs no agent.`,
  flags: {
    name: {
      kind: 'string',
      value: '<name>',
      help: "The job's name. Default: the file's own, else that of its directory.",
    },
    o: { kind: 'string', value: '<path>', help: 'Write into a new file instead.' },
  },
  client: false,
  complete: 'files',
  async run({ args, flags, terminal }) {
    const [path] = args;
    if (path === undefined || args.length > 1)
      throw new CommandError('This command takes one argument: <compose.yaml>');
    const source = readGiven(path, 'Error reading');
    const text = orCommandError(path, 'Error reading', () => utf8Text(source));
    const filename = path === '-' ? 'standard input' : basename(path);
    const name = flags.string('name') ?? (path === '-' ? 'imported' : basename(dirname(resolve(path))));
    const { hcl, notes } = importCompose(text, { filename, name });
    for (const note of notes) terminal.error(`compose: ${note}`);
    const output = flags.string('o');
    if (output === undefined) process.stdout.write(hcl);
    else writeNew(output, hcl);
    return 0;
  },
};
