import { type IsolationFloor, noFloor } from '../model/isolation-floor.ts';

/** What the agent tells the client half. Everything is resolved: no field here has a default any more. */
export interface ClientConfig {
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  readonly nodeClass: string;
  readonly nodePool: string;
  /** Absolute; each allocation has a directory below it. */
  readonly allocDir: string;
  /** Where the agent's HTTP API is reached: `"127.0.0.1:4646"`. */
  readonly httpAddress: string;
  readonly tlsEnabled: boolean;
  /** Drover's own version. */
  readonly version: string;
  /** All tasks end with the agent. */
  readonly devMode: boolean;
  /** Nomad's `client { options }`, e.g. `{ 'env.denylist': 'A,B', 'driver.allowlist': 'exec' }`. */
  readonly options: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** `""`: the interface of the default route, else the loopback. */
  readonly networkInterface: string;
  /** Ports of allocations with a network of their own are published on every address of the host, not on one. */
  readonly bindWildcard: boolean;
  /** MHz; 0: measured. Likewise below. */
  readonly cpuTotalCompute: number;
  readonly memoryTotalMb: number;
  readonly diskTotalMb: number;
  readonly diskFreeMb: number;
  readonly maxKillTimeoutMs: number;
  readonly minDynamicPort: number;
  readonly maxDynamicPort: number;
  readonly reserved: ReservedResources;
  readonly gcIntervalMs: number;
  /** Ended allocations beyond so many are collected, oldest first. */
  readonly gcMaxAllocs: number;
  /** Percent of the file system of `allocDir`. */
  readonly gcDiskUsageThreshold: number;
  readonly hostVolumes: Readonly<Record<string, { readonly path: string; readonly readOnly: boolean }>>;
  /** `""`: Nomad's own (`nomad.slice` on cgroup v2, `/nomad` on v1). */
  readonly cgroupParent: string;
  readonly defaultIneligible: boolean;
  readonly disableRemoteExec: boolean;
  /** 0: no limit. */
  readonly nodeMaxAllocs: number;
  /** No task of this node runs below it. */
  readonly isolation: IsolationFloor;
  /** How often running tasks are looked at again; 0: never. */
  readonly isolationRecheckMs: number;
  /** What the agent found out about the host besides, e.g. which isolation mechanisms were verified. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ReservedResources {
  readonly cpuShares: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  /** `"22,80,8000-8010"`. */
  readonly ports: string;
}

/** Nomad's defaults; `name`, `allocDir` and `httpAddress` have none. */
export const clientDefaults: Omit<ClientConfig, 'name' | 'allocDir' | 'httpAddress' | 'version'> = {
  region: 'global',
  datacenter: 'dc1',
  nodeClass: '',
  nodePool: 'default',
  tlsEnabled: false,
  devMode: false,
  options: {},
  meta: {},
  networkInterface: '',
  bindWildcard: true,
  cpuTotalCompute: 0,
  memoryTotalMb: 0,
  diskTotalMb: 0,
  diskFreeMb: 0,
  maxKillTimeoutMs: 30_000,
  minDynamicPort: 20_000,
  maxDynamicPort: 32_000,
  reserved: { cpuShares: 0, memoryMb: 0, diskMb: 0, ports: '' },
  gcIntervalMs: 60_000,
  gcMaxAllocs: 50,
  gcDiskUsageThreshold: 80,
  hostVolumes: {},
  cgroupParent: '',
  defaultIneligible: false,
  disableRemoteExec: false,
  nodeMaxAllocs: 0,
  isolation: noFloor,
  isolationRecheckMs: 10_000,
  attributes: {},
};
