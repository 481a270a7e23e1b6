/** From the agent's configuration to the client half's own. */
import { join } from 'node:path';
import type { ClientConfig } from '../client/config.ts';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { parseBlock } from '../isolation/network/address.ts';
import { formatDestination, parseDestination, parseEgressPolicy } from '../isolation/network/egress-policy.ts';
import type { OpenNetworksOptions } from '../isolation/network/open-networks.ts';
import { millisecond } from '../lib/duration.ts';
import { floorOf } from '../model/isolation-floor.ts';
import { bootId } from '../supervise/this-host.ts';
import type { AgentConfig } from './config.ts';
import { demandOf } from './config-resolve.ts';

/** `address`: where this agent's API is reached. */
export function networkOptions(config: AgentConfig, address: string, stateDirectory: string): OpenNetworksOptions {
  const client = config.client!;
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const servers = client.servers.map((server) => parseDestination(server.replace(/^https?:\/\//, '')));
  return {
    stateDirectory,
    // both were checked with the configuration
    subnet: parseBlock(client.bridgeNetworkSubnet)!,
    policy: parseEgressPolicy(client.egressPolicy).policy,
    agentPorts: [...new Set([port, config.ports.http])].filter((each) => each > 0),
    agents: servers.filter((server) => server !== null).map(formatDestination),
    bootId: bootId(),
    verifier: locateVerifier()?.program ?? null,
  };
}

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
    bindWildcard: client.bindWildcardDefaultHostNetwork,
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
    isolationRecheckMs: client.isolationRecheckInterval / millisecond,
  };
}
