/** Decoded settings → configuration: defaults, and the rules that span several settings. Pure. */
import { parseBlock } from '../isolation/network/address.ts';
import { defaultDenied, parseEgressPolicy } from '../isolation/network/egress-policy.ts';
import { hour, minute, second } from '../lib/duration.ts';
import { placedDemandProblems } from '../model/isolation-floor.ts';
import { builtInNames } from './built-in-drivers.ts';
import type { AgentConfig, ClientConfig, LogLevel, ServerConfig, TlsConfig, TlsVersion } from './config.ts';
import { applyLegacyOptions, pluginDefaults } from './legacy-options.ts';
import { openHosts } from './listen-addresses.ts';
import type { Values } from './settings-decode.ts';

export interface ResolveContext {
  readonly dev: boolean;
  readonly hostname: string;
  /** Where an agent without data_dir keeps its state: a fresh private directory in dev mode, else empty. */
  readonly defaultDataDir: string;
  readonly files: readonly string[];
}

/** What `-dev` stands for: server and client in one on loopback, raw_exec allowed, garbage kept long enough to look at. */
export const devValues: Values = {
  log_level: 'DEBUG',
  server: { enabled: true },
  client: {
    enabled: true,
    network_interface: 'lo',
    gc_interval: 10 * minute,
    gc_disk_usage_threshold: 99,
    options: { 'driver.raw_exec.enable': 'true' },
  },
};

const tlsVersions: readonly string[] = ['tls10', 'tls11', 'tls12', 'tls13'];
const logLevels: readonly string[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

/** A setting that does not fit, or is missing. */
export interface Misfit {
  /** `ports.http`; of what is missing: the block that needs it. */
  readonly setting: string;
  readonly summary: string;
  readonly detail: string;
}

/** Everything that does not fit, at once. */
export function resolveConfig(
  values: Values,
  context: ResolveContext,
): {
  config: AgentConfig;
  misfits: readonly Misfit[];
  warnings: readonly string[];
} {
  const top = reader(values);
  const dataDir = top.string('data_dir', context.defaultDataDir);
  const server = top.block('server');
  const client = top.block('client');
  const logLevel = top.string('log_level', 'INFO').toUpperCase();
  const limits = top.block('limits');
  const config: AgentConfig = {
    region: top.string('region', 'global'),
    datacenter: top.string('datacenter', 'dc1'),
    name: top.string('name', context.hostname),
    dev: context.dev,
    dataDir,
    pluginDir: top.string('plugin_dir', dataDir === '' ? '' : `${dataDir}/plugins`),
    bindAddr: top.string('bind_addr', '127.0.0.1'),
    logLevel: logLevel as LogLevel,
    logJson: top.bool('log_json', false),
    logFile: top.string('log_file', ''),
    ports: { http: top.block('ports').number('http', 4646) },
    addresses: { http: top.block('addresses').string('http', '') },
    advertise: { http: top.block('advertise').string('http', '') },
    responseHeaders: top.map('http_api_response_headers'),
    limits: { httpMaxConnsPerClient: limits.number('http_max_conns_per_client', 100) },
    tls: tlsConfig(top.block('tls')),
    api: apiConfig(top.block('api')),
    server: server.bool('enabled', false) ? serverConfig(server) : null,
    client: client.bool('enabled', false) ? clientConfig(client) : null,
    plugins: pluginConfigs(values['plugin'] as Values | undefined),
    leaveOnInterrupt: top.bool('leave_on_interrupt', false),
    leaveOnTerminate: top.bool('leave_on_terminate', false),
    files: context.files,
  };
  const legacy = applyLegacyOptions(config.client?.options ?? {}, config.plugins, builtInNames);
  return {
    config: { ...config, plugins: legacy.plugins },
    misfits: misfitsOf(config),
    // what -dev stands for is not the operator's spelling
    warnings: context.dev
      ? legacy.warnings.filter((each) => !each.includes('driver.raw_exec.enable'))
      : legacy.warnings,
  };
}

function misfitsOf(config: AgentConfig): readonly Misfit[] {
  const { server, client, dataDir, tls } = config;
  const misfits: Misfit[] = [];
  const say: Say = (isMisfit, setting, summary, detail) => isMisfit && misfits.push({ setting, summary, detail });
  const isAbsolute = dataDir.startsWith('/') || /^[A-Za-z]:[\\/]/.test(dataDir);
  const half = 'set server { enabled = true }, client { enabled = true }, or start with -dev';
  say(server === null && client === null, '', 'neither server nor client is enabled', half);
  say(dataDir === '', '', 'data_dir is not set', 'name a directory (absolute path) where the agent keeps its state');
  say(
    dataDir !== '' && !isAbsolute,
    'data_dir',
    `data_dir "${dataDir}" is not an absolute path`,
    'begin it with a slash',
  );
  say(/[\0]/.test(config.region) || config.region === '', 'region', 'region has no name', 'it must not hold a NUL');
  say(
    /[\0*]/.test(config.datacenter) || config.datacenter === '',
    'datacenter',
    `datacenter ${JSON.stringify(config.datacenter)} is no name`,
    'it must not be empty or hold a NUL or "*"',
  );
  say(
    !logLevels.includes(config.logLevel),
    'log_level',
    `log_level "${config.logLevel}" is no level`,
    `it is one of ${logLevels.join(', ')}`,
  );
  const { http } = config.ports;
  say(http < 0 || http > 65535, 'ports.http', `ports.http ${http} is not a port`, 'ports go from 0 (any) to 65535');
  say(
    tls !== null && (tls.certFile === '' || tls.keyFile === ''),
    'tls',
    'tls { http = true } lacks a certificate',
    'set cert_file and key_file',
  );
  say(
    tls !== null && !tlsVersions.includes(tls.minVersion),
    'tls.tls_min_version',
    `tls_min_version "${tls?.minVersion}" is no version`,
    `it is one of ${tlsVersions.join(', ')}`,
  );
  addressMisfits(config, say);
  if (client !== null) clientMisfits(client, server === null, say);
  return misfits;
}

function addressMisfits(config: AgentConfig, say: Say): void {
  const { addresses, advertise, bindAddr } = config;
  const given = { bind_addr: bindAddr, 'addresses.http': addresses.http, 'advertise.http': advertise.http };
  const templates = Object.entries(given).filter(([, address]) => address.includes('{{'));
  for (const [setting, address] of templates)
    say(
      true,
      setting,
      `${setting} "${address}" is a template`,
      'this version does not fill it in: write the address itself',
    );
  const open = openHosts(config);
  say(
    open.length > 0 && !open.some((host) => host.includes('{{')),
    addresses.http === '' ? 'bind_addr' : 'addresses.http',
    `the HTTP API would listen on ${open.join(' and ')} without access control: whoever reaches it can run anything as this agent`,
    'bind a loopback address, or say that this is wanted with api { allow_remote_without_acl = true }',
  );
}

type Say = (isMisfit: boolean, setting: string, summary: string, detail: string) => void;

function clientMisfits(client: ClientConfig, isAlone: boolean, say: Say): void {
  const { minDynamicPort, maxDynamicPort, nodePool, bridgeNetworkSubnet } = client;
  say(
    minDynamicPort < 0 || maxDynamicPort > 65535 || minDynamicPort > maxDynamicPort,
    maxDynamicPort > 65535 ? 'client.max_dynamic_port' : 'client.min_dynamic_port',
    `dynamic ports ${minDynamicPort}–${maxDynamicPort} are no range of ports`,
    'min_dynamic_port is not above max_dynamic_port, and both are ports',
  );
  say(
    nodePool === 'all' || !/^[a-zA-Z0-9_-]{1,128}$/.test(nodePool),
    'client.node_pool',
    `node_pool "${nodePool}" is not a name that a node may have`,
    'it has 1 to 128 letters, digits, "-" and "_", and is not "all"',
  );
  say(
    isAlone && client.servers.length === 0,
    'client',
    'client { servers = [...] } is empty and this agent is no server',
    'where should the node register?',
  );
  for (const { at, problem } of placedDemandProblems(demandOf(client.isolation)))
    say(true, `client.isolation.${at}`, 'client.isolation demands what there is not', problem);
  const subnet = parseBlock(bridgeNetworkSubnet);
  say(
    subnet === null || subnet.bits > 29,
    'client.bridge_network_subnet',
    `bridge_network_subnet "${bridgeNetworkSubnet}" is no block for networks`,
    'it is an IPv4 block of at least 8 addresses, such as "172.26.64.0/20"',
  );
  for (const problem of parseEgressPolicy(client.egressPolicy).problems)
    say(true, 'client.egress_policy', 'client.egress_policy cannot be followed', problem);
  for (const [name, volume] of Object.entries(client.hostVolumes))
    say(
      volume.path === '',
      `client.host_volume "${name}"`,
      `host_volume "${name}" has no path`,
      'set path to a directory',
    );
}

/** As jobs write it. */
export function demandOf({ min, require, onDegrade }: ClientConfig['isolation']) {
  return { Min: min, Require: require, OnDegrade: onDegrade };
}

function apiConfig(api: Reader): AgentConfig['api'] {
  return {
    allowRemoteWithoutAcl: api.bool('allow_remote_without_acl', false),
    allowTasks: api.bool('allow_tasks', false),
    allowedHosts: api.strings('allowed_hosts'),
    allowedOrigins: api.strings('allowed_origins'),
  };
}

function tlsConfig(tls: Reader): TlsConfig | null {
  if (!tls.bool('http', false)) return null;
  return {
    caFile: tls.string('ca_file', ''),
    certFile: tls.string('cert_file', ''),
    keyFile: tls.string('key_file', ''),
    verifyHttpsClient: tls.bool('verify_https_client', false),
    minVersion: tls.string('tls_min_version', 'tls12') as TlsVersion,
  };
}

function serverConfig(server: Reader): ServerConfig {
  return {
    numSchedulers: server.number('num_schedulers', 2),
    heartbeatGrace: server.number('heartbeat_grace', 10 * second),
    minHeartbeatTtl: server.number('min_heartbeat_ttl', 10 * second),
    nodeGcThreshold: server.number('node_gc_threshold', 24 * hour),
    jobGcInterval: server.number('job_gc_interval', 5 * minute),
    jobGcThreshold: server.number('job_gc_threshold', 4 * hour),
    evalGcThreshold: server.number('eval_gc_threshold', hour),
    batchEvalGcThreshold: server.number('batch_eval_gc_threshold', 24 * hour),
    deploymentGcThreshold: server.number('deployment_gc_threshold', hour),
    joinToken: server.string('join_token', ''),
  };
}

function clientConfig(client: Reader): ClientConfig {
  const reserved = client.block('reserved');
  const isolation = client.block('isolation');
  const egress = client.block('egress_policy');
  return {
    stateDir: client.string('state_dir', ''),
    allocDir: client.string('alloc_dir', ''),
    servers: client.strings('servers'),
    joinToken: client.string('join_token', ''),
    nodeClass: client.string('node_class', ''),
    nodePool: client.string('node_pool', 'default'),
    options: client.map('options'),
    meta: client.map('meta'),
    chrootEnv: client.map('chroot_env'),
    networkInterface: client.string('network_interface', ''),
    bridgeNetworkSubnet: client.string('bridge_network_subnet', '172.26.64.0/20'),
    bindWildcardDefaultHostNetwork: client.bool('bind_wildcard_default_host_network', true),
    egressPolicy: {
      deny: egress.names().includes('deny') ? egress.strings('deny') : defaultDenied,
      allow: egress.strings('allow'),
    },
    cpuTotalCompute: client.number('cpu_total_compute', 0),
    memoryTotalMb: client.number('memory_total_mb', 0),
    diskTotalMb: client.number('disk_total_mb', 0),
    diskFreeMb: client.number('disk_free_mb', 0),
    maxKillTimeout: client.number('max_kill_timeout', 30 * second),
    minDynamicPort: client.number('min_dynamic_port', 20_000),
    maxDynamicPort: client.number('max_dynamic_port', 32_000),
    reserved: {
      cpu: reserved.number('cpu', 0),
      memory: reserved.number('memory', 0),
      disk: reserved.number('disk', 0),
      reservedPorts: reserved.string('reserved_ports', ''),
    },
    gcInterval: client.number('gc_interval', minute),
    gcMaxAllocs: client.number('gc_max_allocs', 50),
    gcDiskUsageThreshold: client.number('gc_disk_usage_threshold', 80),
    hostVolumes: hostVolumes(client.block('host_volume')),
    cgroupParent: client.string('cgroup_parent', ''),
    defaultIneligible: client.bool('default_ineligible', false),
    disableRemoteExec: client.bool('disable_remote_exec', false),
    nodeMaxAllocs: client.number('node_max_allocs', 0),
    isolation: {
      min: isolation.string('min', ''),
      require: isolation.strings('require'),
      onDegrade: isolation.string('on_degrade', ''),
    },
    isolationRecheckInterval: isolation.number('recheck_interval', 10 * second),
    isolationSubordinateIds: isolation.bool('subordinate_ids', true),
    isolationDiskQuota: isolation.bool('disk_quota', true),
  };
}

function hostVolumes(volumes: Reader): ClientConfig['hostVolumes'] {
  return Object.fromEntries(
    volumes.names().map((name) => {
      const volume = volumes.block(name);
      return [name, { path: volume.string('path', ''), readOnly: volume.bool('read_only', false) }];
    }),
  );
}

function pluginConfigs(plugins: Values = {}): AgentConfig['plugins'] {
  return Object.fromEntries(
    Object.keys(plugins).map((name) => {
      const given = plugins[name] as Values;
      const plugin = reader(given);
      return [
        name,
        {
          enabled: plugin.bool('enabled', pluginDefaults.enabled),
          args: plugin.strings('args'),
          config: given['config'] ?? {},
          checksum: plugin.string('checksum', ''),
          autoMtls: plugin.bool('auto_mtls', false),
          callTimeout: plugin.number('call_timeout', pluginDefaults.callTimeout),
          startTimeout: plugin.number('start_timeout', pluginDefaults.startTimeout),
        },
      ];
    }),
  );
}

interface Reader {
  names(): string[];
  string(key: string, otherwise: string): string;
  number(key: string, otherwise: number): number;
  bool(key: string, otherwise: boolean): boolean;
  strings(key: string): readonly string[];
  map(key: string): { readonly [key: string]: string };
  block(key: string): Reader;
}

/** Typed access to decoded values: `decodeSettings` has checked the kinds. */
function reader(values: Values): Reader {
  return {
    names: () => Object.keys(values),
    string: (key, otherwise) => (values[key] === undefined || values[key] === '' ? otherwise : (values[key] as string)),
    number: (key, otherwise) => (values[key] as number | undefined) ?? otherwise,
    bool: (key, otherwise) => (values[key] as boolean | undefined) ?? otherwise,
    strings: (key) => (values[key] as readonly string[] | undefined) ?? [],
    map: (key) => (values[key] as { readonly [key: string]: string } | undefined) ?? {},
    block: (key) => reader((values[key] as Values | undefined) ?? {}),
  };
}
