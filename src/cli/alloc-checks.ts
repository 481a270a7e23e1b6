import { path } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatTime } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { resolveAllocation } from './resolve-id.ts';
import { formatPairs } from './table.ts';

interface CheckResult {
  readonly ID: string;
  readonly Check: string;
  readonly Group: string;
  readonly Task?: string;
  readonly Service: string;
  readonly Mode: string;
  readonly Status: string;
  readonly Output: string;
  /** Seconds. */
  readonly Timestamp: number;
}

export const command: Command = {
  usage: 'alloc checks [options] <allocation>',
  help: "Shows the latest results of the health checks of an allocation's services.",
  flags: { verbose: { kind: 'bool', help: 'Also the ids of checks.' }, ...formatFlags },
  client: true,
  complete: 'allocations',
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'alloc checks', 'This command takes one argument: <allocation>', 1);
    return withClient(call, async (client) => {
      const { ID } = await resolveAllocation(client, call.args[0]!);
      const reading = client.api.get<{ readonly [id: string]: CheckResult } | null>(
        path`/v1/client/allocation/${ID}/checks`,
      );
      const { value } = await asking('Error querying allocation health checks', reading);
      if (await printFormatted(call, value ?? {})) return 0;
      const checks = Object.values(value ?? {}).sort((a, b) => (a.Service + a.Check < b.Service + b.Check ? -1 : 1));
      terminal.out(`Status of ${checks.length} Nomad Service Checks`);
      for (const check of checks) terminal.out(`\n${view(check, flags.bool('verbose'))}`);
      return 0;
    });
  },
};

function view(check: CheckResult, verbose: boolean): string {
  return formatPairs([
    ...(verbose ? ([['ID', check.ID]] as const) : []),
    ['Name', check.Check],
    ['Group', check.Group],
    ...(check.Task ? ([['Task', check.Task]] as const) : []),
    ['Service', check.Service],
    ['Status', check.Status],
    ['Mode', check.Mode],
    ['Timestamp', formatTime(check.Timestamp * 1_000_000_000)],
    ['Output', check.Output],
  ]);
}
