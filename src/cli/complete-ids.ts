/** Ids for tab completion, asked of the agent with a short patience: a slow answer is worse than none. */
import { connect } from '../api-client/index.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import type { Command } from './command.ts';

const contexts: { readonly [K in Exclude<NonNullable<Command['complete']>, 'files' | 'drivers'>]: string } = {
  jobs: 'jobs',
  allocations: 'allocs',
  nodes: 'nodes',
  evaluations: 'evals',
  deployments: 'deployment',
};

export async function idsWithPrefix(kind: keyof typeof contexts, prefix: string): Promise<string[]> {
  const client = connect({
    transport: httpTransport({ address: process.env['NOMAD_ADDR'] || 'http://127.0.0.1:4646', connectTimeoutMs: 500 }),
    namespace: process.env['NOMAD_NAMESPACE'] || undefined,
    token: process.env['NOMAD_TOKEN'] || undefined,
  });
  try {
    const context = contexts[kind];
    const { value } = await client.agent.search(prefix, context, { signal: AbortSignal.timeout(1_000) });
    return [...(value.Matches[context] ?? [])];
  } catch {
    return [];
  } finally {
    client.close();
  }
}
