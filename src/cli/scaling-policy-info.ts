import { path } from '../api-client/index.ts';
import { formatJson } from '../lib/json.ts';
import type { ScalingPolicy } from '../model/scaling-policy.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { formatId } from './formats.ts';
import { formatFlags, printFormatted, sortKeys } from './formatted.ts';
import { sanitizeUuidPrefix } from './resolve-id.ts';
import { formatTarget, policyTable, type ScalingPolicyStub } from './scaling-policy.ts';
import { formatPairs, heading } from './table.ts';

export const command: Command = {
  usage: 'scaling policy info [options] <policy>',
  help: 'Shows a scaling policy: what it scales, between which counts, and what it says to an autoscaler.',
  flags: { verbose: { kind: 'bool', help: 'Print whole ids.' }, ...formatFlags },
  client: true,
  async run(call) {
    takes(call, 'scaling policy info', 'This command takes one argument: <policy_id>', 1);
    const { flags, terminal } = call;
    const prefix = call.args[0]!;
    return withClient(call, async (client) => {
      const listing = client.api.get<readonly ScalingPolicyStub[]>('/v1/scaling/policies', {
        query: { prefix: sanitizeUuidPrefix(prefix) },
      });
      const found = (await asking('Error querying scaling policy', listing)).value;
      if (found.length === 0) throw new CommandError(`No scaling policies with prefix or id "${prefix}" found`);
      if (found.length > 1)
        throw new CommandError(`Prefix matched multiple scaling policies\n\n${policyTable(found, false)}`);
      const reading = client.api.get<ScalingPolicy>(path`/v1/scaling/policy/${found[0]!.ID}`);
      const { value } = await asking('Error querying scaling policy', reading);
      if (await printFormatted(call, value)) return 0;
      const pairs = formatPairs([
        ['ID', formatId(value.ID, flags.bool('verbose'))],
        ['Enabled', value.Enabled],
        ['Type', value.Type],
        ['Target', formatTarget(value.Target)],
        ['Min', value.Min],
        ['Max', value.Max],
      ]);
      terminal.out(`${pairs}\n\n${heading(terminal, 'Policy')}\n${formatJson(sortKeys(value.Policy ?? {}), 4)}`);
      return 0;
    });
  },
};
