/** From the agent's configuration to the client half's own. */
import { join } from 'node:path';
import type { ClientConfig } from '../client/config.ts';
import { millisecond } from '../lib/duration.ts';
import { floorOf } from '../model/isolation-floor.ts';
import type { AgentConfig } from './config.ts';
import { demandOf } from './config-resolve.ts';

export function clientConfigOf(
  config: AgentConfig,
  found: Pick<ClientConfig, 'httpAddress' | 'version' | 'attributes'>,
): ClientConfig {
  const client = config.client!;
  return {
    ...found,
    name: config.name,
    region: config.region,
    datacenter: config.datacenter,
    nodeClass: client.nodeClass,
    nodePool: client.nodePool,
    allocDir: client.allocDir || join(config.dataDir, 'alloc'),
    tlsEnabled: config.tls !== null,
    devMode: config.dev,
    options: client.options,
    meta: client.meta,
    networkInterface: client.networkInterface,
    cpuTotalCompute: client.cpuTotalCompute,
    memoryTotalMb: client.memoryTotalMb,
    diskTotalMb: client.diskTotalMb,
    diskFreeMb: client.diskFreeMb,
    maxKillTimeoutMs: client.maxKillTimeout / millisecond,
    minDynamicPort: client.minDynamicPort,
    maxDynamicPort: client.maxDynamicPort,
    reserved: {
      cpuShares: client.reserved.cpu,
      memoryMb: client.reserved.memory,
      diskMb: client.reserved.disk,
      ports: client.reserved.reservedPorts,
    },
    gcIntervalMs: client.gcInterval / millisecond,
    gcMaxAllocs: client.gcMaxAllocs,
    gcDiskUsageThreshold: client.gcDiskUsageThreshold,
    hostVolumes: client.hostVolumes,
    cgroupParent: client.cgroupParent,
    defaultIneligible: client.defaultIneligible,
    disableRemoteExec: client.disableRemoteExec,
    nodeMaxAllocs: client.nodeMaxAllocs,
    isolation: floorOf(demandOf(client.isolation)),
  };
}
