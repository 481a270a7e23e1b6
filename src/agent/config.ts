/** What an agent is configured to be, defaults filled in. Durations in nanoseconds, sizes in MB, as the files give them. */
export interface AgentConfig {
  readonly region: string;
  readonly datacenter: string;
  readonly name: string;
  readonly dev: boolean;
  readonly dataDir: string;
  readonly pluginDir: string;
  readonly bindAddr: string;
  readonly logLevel: LogLevel;
  readonly logJson: boolean;
  readonly logFile: string;
  readonly ports: { readonly http: number };
  /** Host names or IP addresses, several separated by blanks; empty: bindAddr. */
  readonly addresses: { readonly http: string };
  readonly advertise: { readonly http: string };
  readonly responseHeaders: { readonly [name: string]: string };
  readonly limits: { readonly httpMaxConnsPerClient: number };
  readonly tls: TlsConfig | null;
  readonly api: ApiConfig;
  readonly server: ServerConfig | null;
  readonly client: ClientConfig | null;
  /** By the names of their blocks: file names in pluginDir, or drivers of this program. */
  readonly plugins: { readonly [name: string]: PluginConfig };
  readonly leaveOnInterrupt: boolean;
  readonly leaveOnTerminate: boolean;
  /** The files it was read from, in order. */
  readonly files: readonly string[];
}

export interface PluginConfig {
  /** False: this node has no such driver, be it of this program or of pluginDir. */
  readonly enabled: boolean;
  readonly args: readonly string[];
  readonly config: unknown;
  /** `sha256:…` of its program; empty: any. */
  readonly checksum: string;
  readonly autoMtls: boolean;
  /** For what a plugin answers out of its memory. */
  readonly callTimeout: number;
  /** For its own start, and for starts of tasks. */
  readonly startTimeout: number;
}

export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** As in agent files: `"tls12"` is TLS 1.2. */
export type TlsVersion = 'tls10' | 'tls11' | 'tls12' | 'tls13';

export interface TlsConfig {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly verifyHttpsClient: boolean;
  /** The oldest version that is spoken. */
  readonly minVersion: TlsVersion;
}

/** How the API defends itself while there is no access control. */
export interface ApiConfig {
  /** Without it an address off loopback stops the agent. */
  readonly allowRemoteWithoutAcl: boolean;
  /** Off: a connection that comes from a task at rung 2 or above is refused. */
  readonly allowTasks: boolean;
  /** Further names that a Host header may carry. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

export interface ServerConfig {
  readonly numSchedulers: number;
  readonly heartbeatGrace: number;
  readonly minHeartbeatTtl: number;
  readonly nodeGcThreshold: number;
  readonly jobGcInterval: number;
  readonly jobGcThreshold: number;
  readonly evalGcThreshold: number;
  readonly batchEvalGcThreshold: number;
  readonly deploymentGcThreshold: number;
  /** Agents that want to join as clients must bring it; empty: none may. */
  readonly joinToken: string;
}

export interface ClientConfig {
  readonly stateDir: string;
  readonly allocDir: string;
  /** Addresses of servers' HTTP APIs; empty: the server in this agent. */
  readonly servers: readonly string[];
  readonly joinToken: string;
  readonly nodeClass: string;
  readonly nodePool: string;
  readonly options: { readonly [key: string]: string };
  readonly meta: { readonly [key: string]: string };
  readonly chrootEnv: { readonly [hostPath: string]: string };
  readonly networkInterface: string;
  /** `"172.26.64.0/20"`: addresses of allocations with a network of their own. */
  readonly bridgeNetworkSubnet: string;
  readonly bindWildcardDefaultHostNetwork: boolean;
  /** Where such allocations may not connect to. */
  readonly egressPolicy: { readonly deny: readonly string[]; readonly allow: readonly string[] };
  readonly cpuTotalCompute: number;
  readonly memoryTotalMb: number;
  readonly diskTotalMb: number;
  readonly diskFreeMb: number;
  readonly maxKillTimeout: number;
  readonly minDynamicPort: number;
  readonly maxDynamicPort: number;
  readonly reserved: {
    readonly cpu: number;
    readonly memory: number;
    readonly disk: number;
    readonly reservedPorts: string;
  };
  readonly gcInterval: number;
  readonly gcMaxAllocs: number;
  readonly gcDiskUsageThreshold: number;
  readonly hostVolumes: { readonly [name: string]: { readonly path: string; readonly readOnly: boolean } };
  readonly cgroupParent: string;
  readonly defaultIneligible: boolean;
  readonly disableRemoteExec: boolean;
  readonly nodeMaxAllocs: number;
  /** No task of this node runs below it. */
  readonly isolation: { readonly min: string; readonly require: readonly string[]; readonly onDegrade: string };
  /** Nanoseconds; 0: never. */
  readonly isolationRecheckInterval: number;
  /** Without root: a task has one of its user's, where that user has any. */
  readonly isolationSubordinateIds: boolean;
  /** What an allocation writes to disk is bound by what its group asks for, where the file system can. */
  readonly isolationDiskQuota: boolean;
}
