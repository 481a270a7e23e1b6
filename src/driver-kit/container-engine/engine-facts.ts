/** What an engine says about itself. */
import { Fault } from '../../lib/fault.ts';
import { numberAt, objectAt, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';

export interface EngineFacts {
  readonly version: string;
  /** `["runc", …]` */
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
  /** `"linux"` */
  readonly osType: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupDriver: string;
  /** `["name=seccomp,profile=default", "name=userns", …]` */
  readonly security: readonly string[];
  readonly processors: number;
  /** The gateway of the default bridge; `""`: there is none. */
  readonly bridgeIp: string;
  /** It is part of one. */
  readonly swarm: boolean;
}

/** The daemon gives containers user namespaces: all of them the same ids of the host (`--userns-remap`). */
export function mapsUsers({ security }: Pick<EngineFacts, 'security'>): boolean {
  return says(security, 'name=userns');
}

/** It is a service of an ordinary user. */
export function isRootless({ security }: Pick<EngineFacts, 'security'>): boolean {
  return says(security, 'name=rootless');
}

/** An id of a container's user namespace is that of other containers too: those of a daemon that maps users, or of an ordinary user's service. */
export function sharesIds({ security }: Pick<EngineFacts, 'security'>): boolean {
  return mapsUsers({ security }) || isRootless({ security });
}

function says(security: EngineFacts['security'], what: string): boolean {
  return security.some((each) => each.split(',').includes(what));
}

/** `limitMs`: podman asks its runtime first, which takes its time on a busy host. */
export async function readFacts(client: EngineClient, limitMs: number, signal: AbortSignal): Promise<EngineFacts> {
  const call = { signal, timeoutMs: limitMs };
  const [version, info, bridge] = await Promise.all([
    client.json('GET', '/version', call),
    client.json('GET', '/info', call),
    client.json('GET', '/networks/bridge', call).catch(() => null),
  ]);
  if (textAt(version, 'Version') === '' || textAt(info, 'OSType') === '')
    throw new Fault('unavailable', 'it answers nonsense about itself', { recoverable: true });
  const security = (info as { readonly SecurityOptions?: unknown } | undefined)?.SecurityOptions;
  const rootless = (info as { readonly Rootless?: unknown } | undefined)?.Rootless === true;
  const ipam = objectAt(bridge, 'IPAM')['Config'];
  return {
    version: textAt(version, 'Version'),
    runtimes: Object.keys(objectAt(info, 'Runtimes')).sort(),
    defaultRuntime: textAt(info, 'DefaultRuntime'),
    osType: textAt(info, 'OSType'),
    cgroupVersion: textAt(info, 'CgroupVersion') === '2' ? 2 : 1,
    cgroupDriver: textAt(info, 'CgroupDriver'),
    // podman has a field of its own for it
    security: [...(Array.isArray(security) ? security.map(String) : []), ...(rootless ? ['name=rootless'] : [])],
    processors: numberAt(info, 'NCPU') ?? 1,
    bridgeIp: Array.isArray(ipam) ? textAt(ipam[0], 'Gateway') : '',
    swarm: !['', 'inactive'].includes(textAt(objectAt(info, 'Swarm'), 'LocalNodeState')),
  };
}
