import { hour } from '../lib/duration.ts';
import { problems } from './error-list.ts';
import type { NodePool } from './node-pool.ts';

const namePattern = /^[a-zA-Z0-9-_]{1,128}$/;
const longestDescription = 256;
const algorithms: readonly string[] = ['', 'binpack', 'spread'];

/** They come with every cluster and stay as they are. */
export const isBuiltInPool = (name: string): boolean => name === 'all' || name === 'default';

/** What a pool has whose file says nothing of it. */
export const defaultIdentityTtl = 24 * hour;

export function validateNodePool({
  Name,
  Description,
  SchedulerConfiguration: scheduling,
}: NodePool): readonly string[] {
  const algorithm = scheduling?.SchedulerAlgorithm ?? '';
  return problems(
    [!namePattern.test(Name), `invalid name "${Name}", must match regex ${namePattern.source}`],
    [Description.length > longestDescription, `description longer than ${longestDescription}`],
    [!algorithms.includes(algorithm), `scheduler algorithm is binpack or spread; got ${JSON.stringify(algorithm)}`],
  );
}
