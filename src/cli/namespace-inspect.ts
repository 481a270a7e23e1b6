import { formatJson } from '../lib/json.ts';
import { takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted, sortKeys } from './formatted.ts';
import { resolveNamespace } from './namespace-status.ts';

export const command: Command = {
  usage: 'namespace inspect [options] <namespace>',
  help: 'Prints a namespace as the servers keep it.',
  flags: { t: formatFlags['t']! },
  client: true,
  async run(call) {
    takes(call, 'namespace inspect', 'This command takes one argument: <namespace>', 1);
    return withClient(call, async (client) => {
      // the hash only tells servers two forms of it apart
      const { Hash: _, ...namespace } = await resolveNamespace(client, call.args[0]!);
      if (!(await printFormatted(call, namespace))) call.terminal.out(formatJson(sortKeys(namespace), 4));
      return 0;
    });
  },
};
