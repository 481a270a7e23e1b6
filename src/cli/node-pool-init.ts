import { existsSync } from 'node:fs';
import { takes } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { writeNew } from './given-file.ts';

export const command: Command = {
  usage: 'node pool init [options] [<filename>]',
  help: 'Writes an example of a node pool file: pool.nomad.hcl (pool.nomad.json with -out=json), or the name given. Needs no agent.',
  flags: {
    out: { kind: 'string', value: '<format>', help: '"hcl" (the default) or "json".' },
    quiet: { kind: 'bool', help: 'Says nothing of success.' },
  },
  client: false,
  complete: 'files',
  async run(call) {
    takes(call, 'node pool init', 'This command takes no arguments or one: <filename>', 0, 1);
    const format = call.flags.string('out') ?? 'hcl';
    if (format !== 'hcl' && format !== 'json')
      throw new CommandError(`-out is hcl or json; got ${JSON.stringify(format)}`);
    const name = call.args[0] ?? `pool.nomad.${format}`;
    if (existsSync(name)) throw new CommandError(`Node pool file '${name}' already exists`);
    writeNew(name, format === 'hcl' ? hcl : json);
    if (!call.flags.bool('quiet')) call.terminal.out(`Example node pool file written to ${name}`);
    return 0;
  },
};

const hcl = `# Try it:  drover node pool apply pool.nomad.hcl
node_pool "example" {
  description = "Nodes for a purpose of their own."

  # Whatever helps to tell pools apart.
  meta {
    owner = "platform"
  }

  # How jobs are placed on the nodes of this pool: "binpack" fills one node after the other, "spread" uses all alike.
  scheduler_config {
    scheduler_algorithm             = "spread"
    memory_oversubscription_enabled = false
  }
}
`;

const json = `{
  "Name": "example",
  "Description": "Nodes for a purpose of their own.",
  "Meta": { "owner": "platform" },
  "SchedulerConfiguration": { "SchedulerAlgorithm": "spread", "MemoryOversubscriptionEnabled": false }
}
`;
