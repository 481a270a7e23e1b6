/** What the API tells about this agent. Secrets never get here: the configuration is copied field by field. */
import { randomUUID } from 'node:crypto';
import { arch, availableParallelism, platform } from 'node:os';
import type { AgentFacts, Metric } from '../api/agent-facts.ts';
import type { AgentMember } from '../api-client/agent.ts';
import type { ClientNode } from '../client/client-node.ts';
import { nodeGauges } from '../client/metrics.ts';
import { formatDuration } from '../lib/duration.ts';
import { formatLogJson, formatLogLine, type LogLevel } from '../lib/log.ts';
import { trackedVersions } from '../server/job-register.ts';
import type { ServerStore } from '../state/server-tables.ts';
import type { AgentConfig } from './config.ts';
import type { LogSink } from './log-sink.ts';
import type { SigningKey } from './signing-key.ts';

export interface FactSources {
  readonly config: AgentConfig;
  readonly version: string;
  readonly sink: LogSink;
  readonly store: ServerStore | null;
  readonly client: () => ClientNode | null;
  readonly signingKey: SigningKey | null;
  /** Where the API is reached: `"127.0.0.1:4646"`. */
  readonly httpAddress: () => string;
  readonly startedAt: string;
  reload(): Promise<void>;
}

export function agentFacts(sources: FactSources): AgentFacts {
  const { config, sink, store } = sources;
  const workerIds = Array.from({ length: config.server?.numSchedulers ?? 0 }, () => randomUUID());
  return {
    region: config.region,
    datacenter: config.datacenter,
    name: config.name,
    self: () => ({ config: publicConfig(sources), member: member(sources), stats: stats(sources) }),
    members: () => ({
      ServerName: config.name,
      ServerRegion: config.region,
      ServerDC: config.datacenter,
      Members: store === null ? [] : [member(sources)],
    }),
    health: () => ({
      ...(config.client === null ? {} : { client: { ok: true, message: 'ok' } }),
      ...(store === null ? {} : { server: { ok: true, message: 'ok' } }),
    }),
    leader: () => (store === null ? '' : sources.httpAddress()),
    peers: () => (store === null ? [] : [sources.httpAddress()]),
    schedulers: () => schedulers(sources, workerIds),
    monitor: (options, signal) => monitor(sink, options, signal),
    metrics: () => metrics(sources),
    jwks: () => (sources.signingKey === null ? [] : [sources.signingKey.publicJwk]),
    reload: sources.reload,
  };
}

async function* monitor(
  sink: LogSink,
  options: { readonly level: string; readonly json: boolean },
  signal: AbortSignal,
): AsyncIterable<string> {
  const format = options.json ? formatLogJson : formatLogLine;
  for await (const entry of sink.follow(options.level as LogLevel, signal)) yield `${format(entry)}\n`;
}

function member({ config, version, httpAddress }: FactSources): AgentMember {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(httpAddress()) ?? ['', '', '0'];
  return {
    Name: `${config.name}.${config.region}`,
    Addr: host!,
    Port: Number(port),
    Tags: {
      build: version,
      dc: config.datacenter,
      region: config.region,
      role: 'nomad',
      bootstrap: '1',
      expect: '1',
      port: port!,
      rpc_addr: host!,
      id: '',
      revision: '',
      vsn: '1',
      raft_vsn: '3',
    },
    Status: 'alive',
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}

function stats({ config, version, store, client, httpAddress }: FactSources): {
  [section: string]: { [key: string]: string };
} {
  const sections: { [section: string]: { [key: string]: string } } = {
    runtime: {
      arch: arch(),
      cpu_count: String(availableParallelism()),
      goroutines: '1',
      'kernel.name': platform(),
      max_procs: String(availableParallelism()),
      version: `node ${process.version}`,
    },
  };
  if (store !== null) {
    const address = httpAddress();
    sections['nomad'] = { bootstrap: 'true', known_regions: '1', leader: 'true', leader_addr: address, server: 'true' };
    const index = String(store.snapshot().index);
    sections['journal'] = { applied_index: index, engine: 'lmdb', version };
  }
  const node = client();
  if (node !== null) {
    sections['client'] = {
      heartbeat_ttl: formatDuration(config.server?.minHeartbeatTtl ?? 10_000_000_000),
      known_servers: config.client!.servers.length === 0 ? httpAddress() : config.client!.servers.join(','),
      last_heartbeat: '0s',
      node_id: node.node().ID,
      num_allocations: String(node.runningTasks()),
    };
  }
  return sections;
}

function schedulers(
  { config, startedAt }: FactSources,
  workerIds: readonly string[],
): ReturnType<AgentFacts['schedulers']> {
  if (config.server === null) return [];
  const enabled = ['batch', 'service', 'sysbatch', 'system'];
  return workerIds.map((id) => ({ id, enabled, started: startedAt, status: 'Started' }));
}

const hostStatsMs = 5_000;

const evaluationNames = {
  pending: 'nomad.nomad.broker.total_ready',
  blocked: 'nomad.nomad.blocked_evals.total_blocked',
};

async function metrics({ store, client, config }: FactSources): Promise<readonly Metric[]> {
  const labels = { datacenter: config.datacenter, node: config.name };
  const gauge = (name: string, value: number): Metric => ({ kind: 'gauge', name, value, labels });
  const memory = process.memoryUsage();
  const rows = [
    gauge('nomad.runtime.alloc_bytes', memory.heapUsed),
    gauge('nomad.runtime.sys_bytes', memory.rss),
    gauge('nomad.runtime.uptime_seconds', Math.round(process.uptime())),
  ];
  if (store !== null) {
    const snapshot = store.snapshot();
    rows.push(gauge('nomad.state.index', snapshot.index));
    for (const table of ['jobs', 'allocations', 'evaluations', 'nodes', 'deployments'] as const)
      rows.push(gauge(`nomad.state.${table}`, snapshot.count(table)));
    for (const status of ['pending', 'blocked'] as const)
      rows.push(gauge(evaluationNames[status], [...snapshot.by('evaluations', 'status', status)].length));
  }
  const node = client();
  if (node === null) return rows;
  const host = await node.hostStats(AbortSignal.timeout(hostStatsMs));
  return [
    ...rows,
    ...nodeGauges(node.node(), node.allocations(), host).map((each) => ({ kind: 'gauge' as const, ...each })),
  ];
}

/** The configuration in Nomad's names, as far as there is one for it. */
function publicConfig({ config, version, httpAddress }: FactSources): { [key: string]: unknown } {
  return {
    ACL: { Enabled: false },
    Addresses: { HTTP: config.addresses.http || config.bindAddr },
    AdvertiseAddrs: { HTTP: config.advertise.http || httpAddress() },
    BindAddr: config.bindAddr,
    Client: clientSection(config),
    DataDir: config.dataDir,
    Datacenter: config.datacenter,
    DevMode: config.dev,
    Files: config.files,
    HTTPAPIResponseHeaders: config.responseHeaders,
    LeaveOnInt: config.leaveOnInterrupt,
    LeaveOnTerm: config.leaveOnTerminate,
    Limits: { HTTPMaxConnsPerClient: config.limits.httpMaxConnsPerClient },
    LogFile: config.logFile,
    LogJson: config.logJson,
    LogLevel: config.logLevel,
    NodeName: config.name,
    PluginDir: config.pluginDir,
    Plugins: nullIfEmpty(Object.keys(config.plugins).map((Name) => ({ Name }))),
    Ports: { HTTP: config.ports.http },
    Region: config.region,
    Server: serverSection(config),
    TLSConfig: tlsSection(config),
    Version: { Version: version },
  };
}

/** As Nomad encodes a list that was not set. */
const nullIfEmpty = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

function serverSection({ server }: AgentConfig): { [key: string]: unknown } {
  if (server === null) return { Enabled: false };
  return {
    Enabled: true,
    BootstrapExpect: 1,
    NumSchedulers: server.numSchedulers,
    JobTrackedVersions: trackedVersions,
    HeartbeatGrace: server.heartbeatGrace,
    MinHeartbeatTTL: server.minHeartbeatTtl,
    NodeGCThreshold: formatDuration(server.nodeGcThreshold),
    JobGCInterval: formatDuration(server.jobGcInterval),
    JobGCThreshold: formatDuration(server.jobGcThreshold),
    EvalGCThreshold: formatDuration(server.evalGcThreshold),
    BatchEvalGCThreshold: formatDuration(server.batchEvalGcThreshold),
    DeploymentGCThreshold: formatDuration(server.deploymentGcThreshold),
  };
}

/** Where the files lie; what they hold stays there. */
const tlsSection = ({ tls }: AgentConfig): { [key: string]: unknown } => ({
  EnableHTTP: tls !== null,
  CAFile: tls?.caFile ?? '',
  CertFile: tls?.certFile ?? '',
  KeyFile: tls?.keyFile ?? '',
  TLSMinVersion: tls?.minVersion ?? '',
  VerifyHTTPSClient: tls?.verifyHttpsClient ?? false,
});

function clientSection({ client }: AgentConfig): { [key: string]: unknown } {
  if (client === null) return { Enabled: false };
  return {
    Enabled: true,
    AllocDir: client.allocDir,
    StateDir: client.stateDir,
    NodeClass: client.nodeClass,
    NodePool: client.nodePool,
    Options: client.options,
    Meta: client.meta,
    Servers: nullIfEmpty(client.servers),
    BindWildcardDefaultHostNetwork: client.bindWildcardDefaultHostNetwork,
    BridgeNetworkSubnet: client.bridgeNetworkSubnet,
    CgroupParent: client.cgroupParent,
    ChrootEnv: client.chrootEnv,
    CpuCompute: client.cpuTotalCompute,
    DefaultIneligible: client.defaultIneligible,
    DisableRemoteExec: client.disableRemoteExec,
    DiskFreeMB: client.diskFreeMb,
    DiskTotalMB: client.diskTotalMb,
    MaxKillTimeout: formatDuration(client.maxKillTimeout),
    MemoryMB: client.memoryTotalMb,
    NetworkInterface: client.networkInterface,
    NodeMaxAllocs: client.nodeMaxAllocs,
    Reserved: {
      CPU: client.reserved.cpu,
      DiskMB: client.reserved.disk,
      MemoryMB: client.reserved.memory,
      ReservedPorts: client.reserved.reservedPorts,
    },
    MinDynamicPort: client.minDynamicPort,
    MaxDynamicPort: client.maxDynamicPort,
    HostVolumes: nullIfEmpty(
      Object.entries(client.hostVolumes).map(([Name, volume]) => ({
        Name,
        Path: volume.path,
        ReadOnly: volume.readOnly,
      })),
    ),
    GCDiskUsageThreshold: client.gcDiskUsageThreshold,
    GCInterval: client.gcInterval,
    GCMaxAllocs: client.gcMaxAllocs,
  };
}
