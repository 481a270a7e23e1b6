import type { DroverClient } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import type { NamespaceIsolation } from '../model/isolation.ts';
import type { Namespace } from '../model/namespace.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatPairs, formatTable, heading } from './table.ts';

export const command: Command = {
  usage: 'namespace status [options] <namespace>',
  help: 'Shows a namespace: its description, what jobs in it may use, its metadata.',
  flags: formatFlags,
  client: true,
  async run(call) {
    takes(call, 'namespace status', 'This command takes one argument: <namespace>', 1);
    return withClient(call, async (client) => {
      const namespace = await resolveNamespace(client, call.args[0]!);
      if (await printFormatted(call, namespace)) return 0;
      const meta = sortedEntries(namespace.Meta);
      const parts = [overview(namespace)];
      const { Isolation: demand } = namespace;
      if (demand != null) parts.push(`${heading(call.terminal, 'Isolation')}\n${isolation(demand)}`);
      if (meta.length > 0) parts.push(`${heading(call.terminal, 'Metadata')}\n${formatPairs(meta)}`);
      call.terminal.out(parts.join('\n\n'));
      return 0;
    });
  },
};

function overview(namespace: Namespace): string {
  const { Capabilities: capabilities } = namespace;
  const list = (names: readonly string[] | null | undefined, none: string): string =>
    names == null || names.length === 0 ? none : names.join(',');
  return formatPairs([
    ['Name', namespace.Name],
    ['Description', namespace.Description],
    ['Quota', namespace.Quota ?? ''],
    ['Enabled Drivers', list(capabilities?.EnabledTaskDrivers, '*')],
    ['Disabled Drivers', list(capabilities?.DisabledTaskDrivers, '')],
    ['Enabled Network Modes', list(capabilities?.EnabledNetworkModes, '*')],
    ['Disabled Network Modes', list(capabilities?.DisabledNetworkModes, '')],
  ]);
}

function isolation(demand: NamespaceIsolation): string {
  return formatPairs([
    ['Mode', demand.Mode],
    ['Minimum', demand.Min],
    ['Required', (demand.Require ?? []).join(',')],
    ['On Degrade', demand.OnDegrade],
  ]);
}

/** From a name, or the beginning of exactly one. */
export async function resolveNamespace(client: DroverClient, prefix: string): Promise<Namespace> {
  const reading = client.api.get<readonly Namespace[]>('/v1/namespaces', { query: { prefix } });
  const { value } = await asking('Error retrieving namespaces', reading);
  const found = value.find((row) => row.Name === prefix) ?? (value.length === 1 ? value[0] : undefined);
  if (found !== undefined) return found;
  if (value.length === 0)
    throw new CommandError(`Error retrieving namespaces: Namespace "${prefix}" matched no namespaces`);
  const rows = value.map((row) => [row.Name, row.Description]);
  throw new CommandError(`Prefix matched multiple namespaces\n\n${formatTable([['Name', 'Description'], ...rows])}`);
}
