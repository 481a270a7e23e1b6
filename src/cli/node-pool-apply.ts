import { parseNodePoolFile } from '../jobspec/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { readSpec } from './spec-source.ts';

export const command: Command = {
  usage: 'node pool apply [options] <file or ->',
  help: 'Makes a node pool, or changes one to what the file says (HCL, or JSON with -json).',
  flags: { json: { kind: 'bool', help: "The file is in the API's JSON." } },
  client: true,
  complete: 'files',
  async run(call) {
    takes(call, 'node pool apply', 'This command takes one argument: <file or ->', 1);
    const pool = readSpec(call, call.args[0]!, 'the node pool', parseNodePoolFile);
    return withClient(call, async (client) => {
      await asking('Error applying node pool', client.api.put('/v1/node/pools', pool));
      call.terminal.out(`Successfully applied node pool "${pool.Name}"!`);
      return 0;
    });
  },
};
