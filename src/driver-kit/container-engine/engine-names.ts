/** What a container's body names of the engine's own. An engine that does not know it says so only once an image was fetched for it. */
import { Fault, isFault } from '../../lib/fault.ts';
import { objectAt, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import type { EngineFacts } from './engine-facts.ts';

/** What every engine has, or makes for the container. */
const ownNetworks = ['', 'default', 'bridge', 'host', 'none', 'private', 'nat', 'pasta', 'slirp4netns'];

/** `Fault('invalid')`: a runtime or a network that the engine does not have. */
export async function checkNames(
  client: EngineClient,
  facts: EngineFacts,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<void> {
  const host = objectAt(body, 'HostConfig');
  const runtime = textAt(host, 'Runtime');
  // a path, or the name of a program of containerd's, is looked for at the start alone
  if (/^[\w-]+$/.test(runtime) && facts.runtimes.length > 0 && !facts.runtimes.includes(runtime))
    throw new Fault(
      'invalid',
      `the engine knows no runtime ${JSON.stringify(runtime)}, only ${facts.runtimes.join(', ')}`,
    );
  const network = textAt(host, 'NetworkMode');
  // a network of a swarm may come to a node with the first container that wants it
  if (facts.swarm || ownNetworks.includes(network) || !/^[\w.-]+$/.test(network)) return;
  const unknown = await client.json('GET', `/networks/${encodeURIComponent(network)}`, { signal }).then(
    () => false,
    (error: unknown) => isFault(error, 'not_found'),
  );
  if (unknown)
    throw new Fault('invalid', `the engine knows no network ${JSON.stringify(network)}`, { recoverable: true });
}
