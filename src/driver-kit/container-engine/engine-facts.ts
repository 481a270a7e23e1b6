/** What an engine says about itself. */
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
}

export async function readFacts(client: EngineClient, signal: AbortSignal): Promise<EngineFacts> {
  // podman asks its runtime first
  const call = { signal, timeoutMs: 8_000 };
  const [version, info, bridge] = await Promise.all([
    client.json('GET', '/version', call),
    client.json('GET', '/info', call),
    client.json('GET', '/networks/bridge', call).catch(() => null),
  ]);
  const security = (info as { readonly SecurityOptions?: unknown } | undefined)?.SecurityOptions;
  const ipam = objectAt(bridge, 'IPAM')['Config'];
  return {
    version: textAt(version, 'Version'),
    runtimes: Object.keys(objectAt(info, 'Runtimes')).sort(),
    defaultRuntime: textAt(info, 'DefaultRuntime'),
    osType: textAt(info, 'OSType'),
    cgroupVersion: textAt(info, 'CgroupVersion') === '2' ? 2 : 1,
    cgroupDriver: textAt(info, 'CgroupDriver'),
    security: Array.isArray(security) ? security.map(String) : [],
    processors: numberAt(info, 'NCPU') ?? 1,
    bridgeIp: Array.isArray(ipam) ? textAt(ipam[0], 'Gateway') : '',
  };
}
