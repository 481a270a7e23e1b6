import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { policyTable, type ScalingPolicyStub } from './scaling-policy.ts';

export const command: Command = {
  usage: 'scaling policy list [options]',
  help: 'Lists the scaling policies that stand in jobs.',
  flags: {
    job: { kind: 'string', value: '<job>', help: 'Only those of this job.' },
    type: {
      kind: 'string',
      value: '<type>',
      help: 'Only those of this type: horizontal, vertical_cpu or vertical_mem.',
    },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    takes(call, 'scaling policy list', 'This command takes no arguments', 0);
    const { flags, terminal } = call;
    const query = { job: flags.string('job'), type: flags.string('type') };
    return withClient(call, async (client) => {
      const reading = client.api.get<readonly ScalingPolicyStub[]>('/v1/scaling/policies', { query });
      const { value } = await asking('Error listing scaling policies', reading);
      if (await printFormatted(call, value)) return 0;
      terminal.out(policyTable(value, flags.bool('verbose')));
      return 0;
    });
  },
};
