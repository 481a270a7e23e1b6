/** The node as the servers see it, made of what was found out about the host and of the configuration. */
import { totalmem } from 'node:os';
import type { DriverInfo } from '../../model/driver-info.ts';
import { floorAttributes } from '../../model/isolation-floor.ts';
import type { NetworkResource } from '../../model/network.ts';
import type { Node, NodeResources } from '../../model/node.ts';
import type { NodeIdentity } from '../client-tables.ts';
import type { ClientConfig } from '../config.ts';
import { formatCores } from '../task-env.ts';
import { type NetworkFacts, networkFacts } from './network.ts';
import { type ProcessorFacts, processorFacts } from './processor.ts';
import { type StorageFacts, storageFacts } from './storage.ts';
import { systemAttributes } from './system.ts';

/** The version whose behaviour this node has, for constraints on `${attr.nomad.version}`. */
const nomadVersion = '2.0.6';

/**
 * What jobs with a bridge network are constrained to (src/model/job-implied.ts) is built in here: the version says which of the network
 * plugins' features that is.
 */
const builtInPlugins = Object.fromEntries(
  ['bridge', 'firewall', 'host-local', 'loopback', 'portmap'].map((name) => [`plugins.cni.version.${name}`, '1.0.0']),
);

interface HostFacts {
  readonly processor: ProcessorFacts;
  readonly storage: StorageFacts;
  readonly network: NetworkFacts | null;
  readonly system: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
}

export async function hostFacts(config: ClientConfig): Promise<HostFacts> {
  const [processor, storage, network, system] = await Promise.all([
    processorFacts(config.cpuTotalCompute),
    storageFacts(config.allocDir),
    networkFacts(config.networkInterface, config.devMode),
    systemAttributes(),
  ]);
  const memoryBytes = config.memoryTotalMb > 0 ? config.memoryTotalMb * 1024 * 1024 : totalmem();
  return { processor, storage, network, system, memoryBytes };
}

/** `drivers`: name → its last report; their attributes are merged in. */
export function buildNode(
  identity: NodeIdentity,
  config: ClientConfig,
  facts: HostFacts,
  drivers: Readonly<Record<string, DriverInfo>>,
): Node {
  return {
    ID: identity.ID,
    SecretID: identity.SecretID,
    Name: config.name,
    Datacenter: config.datacenter,
    HTTPAddr: config.httpAddress,
    TLSEnabled: config.tlsEnabled,
    // a driver's plugin must not pass its host for another
    Attributes: {
      ...driverAttributes(drivers),
      ...hostAttributes(config, facts),
      ...config.attributes,
      ...floorAttributes(config.isolation),
    },
    Resources: null,
    Reserved: null,
    NodeResources: nodeResources(config, facts),
    ReservedResources: {
      Cpu: { CpuShares: config.reserved.cpuShares, ReservedCpuCores: null },
      Memory: { MemoryMB: config.reserved.memoryMb },
      Disk: { DiskMB: config.reserved.diskMb },
      Networks: { ReservedHostPorts: config.reserved.ports },
    },
    Links: {},
    Meta: config.meta,
    NodeClass: config.nodeClass,
    NodePool: config.nodePool,
    CgroupParent: config.cgroupParent || 'nomad.slice',
    Drain: false,
    DrainStrategy: null,
    SchedulingEligibility: config.defaultIneligible ? 'ineligible' : 'eligible',
    Status: 'initializing',
    StatusDescription: '',
    StatusUpdatedAt: 0,
    Events: [],
    Drivers: drivers,
    HostVolumes: Object.fromEntries(
      Object.entries(config.hostVolumes).map(([name, volume]) => [
        name,
        { Path: volume.path, ReadOnly: volume.readOnly, ID: '' },
      ]),
    ),
    GCVolumesOnNodeGC: false,
    HostNetworks: null,
    CSIControllerPlugins: {},
    CSINodePlugins: {},
    LastDrain: null,
    CreateIndex: 0,
    ModifyIndex: 0,
    NodeMaxAllocs: config.nodeMaxAllocs,
    ComputedClass: '',
    LastAllocUpdateIndex: 0,
    LastMissedHeartbeatIndex: 0,
    IdentitySigningKeyID: '',
  };
}

/** Found out by a probe, at the start and on SIGHUP. */
function makesNetworks({ attributes }: ClientConfig): boolean {
  return attributes['isolation.network.bridge'] === 'verified';
}

function hostAttributes(config: ClientConfig, facts: HostFacts): Record<string, string> {
  const { processor, storage, network } = facts;
  return {
    ...facts.system,
    'cpu.modelname': processor.model,
    'cpu.numcores': String(processor.cores),
    'cpu.reservablecores': String(processor.cores),
    'cpu.frequency': String(processor.mhz),
    'cpu.totalcompute': String(processor.totalCompute),
    'cpu.usablecompute': String(processor.totalCompute - config.reserved.cpuShares),
    'numa.node.count': String(processor.numaNodes.length),
    ...Object.fromEntries(processor.numaNodes.map((node) => [`numa.node${node.id}.cores`, formatCores(node.cores)])),
    'memory.totalbytes': String(facts.memoryBytes),
    'unique.storage.volume': storage.volume,
    'unique.storage.bytestotal': String(storage.bytesTotal),
    ...(network?.addresses[0] !== undefined && { 'unique.network.ip-address': network.addresses[0].ip }),
    'unique.advertise.address': config.httpAddress,
    'nomad.version': nomadVersion,
    'nomad.service_discovery': 'true',
    'nomad.bridge.hairpin_mode': 'false',
    ...(makesNetworks(config) && builtInPlugins),
    'drover.version': config.version,
  };
}

/** Nomad says "1" for each detected driver, whatever the driver itself reports under its name. */
function driverAttributes(drivers: Readonly<Record<string, DriverInfo>>): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, driver] of Object.entries(drivers)) {
    if (!driver.Detected) continue;
    for (const [key, value] of Object.entries(driver.Attributes ?? {})) {
      const another = /^driver\.([^.]+)/.exec(key)?.[1];
      // a driver speaks for itself, not for another of this node
      if (value === '' || (another !== undefined && another !== name && drivers[another] !== undefined)) continue;
      attributes[key] = value;
    }
    attributes[`driver.${name}`] = '1';
  }
  return attributes;
}

function nodeResources(config: ClientConfig, facts: HostFacts): NodeResources {
  const { processor, network } = facts;
  const diskMb = config.diskFreeMb || config.diskTotalMb || Math.floor(facts.storage.bytesFree / (1024 * 1024));
  const cores = Array.from({ length: processor.cores }, (_, core) => core);
  return {
    Cpu: { CpuShares: processor.totalCompute, TotalCpuCores: processor.cores, ReservableCpuCores: cores },
    Memory: { MemoryMB: Math.floor(facts.memoryBytes / (1024 * 1024)) },
    Disk: { DiskMB: diskMb },
    Networks: [
      ...(makesNetworks(config) ? [{ Mode: 'bridge' }] : []),
      ...(network?.addresses ?? []).map((address) => hostNetwork(network!, address)),
    ],
    Devices: null,
    MinDynamicPort: config.minDynamicPort,
    MaxDynamicPort: config.maxDynamicPort,
    NodeNetworks: [
      ...(makesNetworks(config) ? [{ Mode: 'bridge', Device: '', MacAddress: '', Speed: 0, Addresses: null }] : []),
      ...(network === null ? [] : [nodeNetwork(network, config.reserved.ports)]),
    ],
    Processors: { Topology: topology(processor) },
  };
}

function hostNetwork(network: NetworkFacts, address: NetworkFacts['addresses'][number]): NetworkResource {
  return { Mode: 'host', Device: network.device, CIDR: address.cidr, IP: address.ip, MBits: network.speed };
}

function nodeNetwork(network: NetworkFacts, reservedPorts: string): object {
  return {
    Mode: 'host',
    Device: network.device,
    MacAddress: network.mac,
    Speed: network.speed,
    Addresses: network.addresses.map((address) => ({
      Family: address.family,
      Alias: 'default',
      Address: address.ip,
      ReservedPorts: reservedPorts,
      Gateway: '',
    })),
  };
}

function topology(processor: ProcessorFacts): object {
  const core = (id: number, node: number): object => ({
    ID: id,
    NodeID: node,
    SocketID: 0,
    Grade: true,
    Disable: false,
    BaseSpeed: processor.mhz,
    MaxSpeed: 0,
    GuessSpeed: 0,
  });
  return {
    Nodes: processor.numaNodes.map((node) => node.id),
    Distances: null,
    Cores: processor.numaNodes.flatMap((node) => node.cores.map((id) => core(id, node.id))),
    OverrideTotalCompute: 0,
    OverrideWitholdCompute: 0,
  };
}
