/** What the commands about node pools share. */
import type { DroverClient } from '../api-client/index.ts';
import type { NodePool } from '../model/node-pool.ts';
import { asking } from './client-context.ts';
import { type Call, CommandError } from './command.ts';
import type { FlagTable } from './flags.ts';
import { formatTable } from './table.ts';

export const pageFlags: FlagTable = {
  filter: { kind: 'string', value: '<expression>', help: 'Only those for which the expression holds.' },
  'per-page': { kind: 'int', value: '<n>', help: 'How many rows at the most.' },
  'page-token': { kind: 'string', value: '<token>', help: 'Where the page before ended.' },
};

export function pageQuery({ flags }: Call): { [name: string]: string | number | undefined } {
  return {
    filter: flags.string('filter'),
    per_page: flags.int('per-page'),
    next_token: flags.string('page-token'),
  };
}

export function sayNextPage({ terminal }: Call, name: string, nextToken: string): void {
  if (nextToken === '') return;
  terminal.out(`\nResults have been paginated. To get the next page run:\n\ndrover ${name} -page-token ${nextToken}`);
}

export function poolTable(pools: readonly NodePool[]): string {
  if (pools.length === 0) return 'No node pools';
  return formatTable([['Name', 'Description'], ...pools.map((pool) => [pool.Name, pool.Description])]);
}

/** From a name, or the beginning of exactly one. */
export async function resolvePool(client: DroverClient, prefix: string): Promise<NodePool> {
  const { value } = await asking('Error retrieving node pool', client.nodes.pools({ query: { prefix } }));
  const found = value.find((pool) => pool.Name === prefix) ?? (value.length === 1 ? value[0] : undefined);
  if (found !== undefined) return found;
  if (value.length === 0)
    throw new CommandError(`Error retrieving node pool: No node pool with prefix "${prefix}" found`);
  throw new CommandError(`Prefix matched multiple node pools\n\n${poolTable(value)}`);
}
