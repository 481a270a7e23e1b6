/** What a driver says, between the driver contract and the plugin protocol: capabilities, fingerprints, ends, states, samples. Pure. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type {
  DriverInfo,
  EngineDriver,
  FilesystemIsolation,
  Fingerprint,
  Health,
  NetworkOverride,
  TaskExit,
  TaskStats,
  TaskStatus,
} from './contract.ts';
import {
  CPUUsage_Fields as CpuField,
  type DriverCapabilities,
  type DriverCapabilitiesSchema,
  type ExitResultSchema,
  type FingerprintResponse,
  type FingerprintResponseSchema,
  DriverCapabilities_FSIsolation as Fs,
  FingerprintResponse_HealthState as HealthState,
  type InspectTaskResponse,
  type InspectTaskResponseSchema,
  MemoryUsage_Fields as MemoryField,
  DriverCapabilities_MountConfigs as Mounts,
  TaskState,
  type TaskStatsSchema,
  type WaitTaskResponse,
  type NetworkOverride as WireOverride,
  type TaskStats as WireStats,
} from './gen/nomad/driver_pb.ts';
import type { Attribute } from './gen/nomad/structs_pb.ts';
import { shortenedAll } from './said-text.ts';
import { networkModeFromWire, networkModeToWire } from './wire-task.ts';

const filesystems = [
  ['none', Fs.NONE],
  ['chroot', Fs.CHROOT],
  ['image', Fs.IMAGE],
  ['unveil', Fs.UNVEIL],
] as const;

export function capabilitiesToWire(driver: EngineDriver): MessageInitShape<typeof DriverCapabilitiesSchema> {
  const { info } = driver;
  return {
    sendSignals: driver.signal !== undefined,
    exec: driver.exec !== undefined,
    fsIsolation: filesystems.find(([name]) => name === info.filesystem)?.[1] ?? Fs.NONE,
    networkIsolationModes: info.networkModes.map(networkModeToWire),
    mustCreateNetwork: driver.createNetwork !== undefined,
    mountConfigs: info.mounts ? Mounts.ANY_MOUNTS : Mounts.NO_MOUNTS,
    disableLogCollection: info.ownLogs ?? false,
    dynamicWorkloadUsers: info.dynamicUsers ?? false,
    // by the contract: a driver is never told of groups that others made
    ownCgroups: true,
  };
}

/** An empty list of modes means the host's network alone. */
export function infoFromWire(name: string, version: string, wire: DriverCapabilities | undefined): DriverInfo {
  const modes = [...new Set(wire?.networkIsolationModes.map(networkModeFromWire))];
  const filesystem: FilesystemIsolation = filesystems.find(([, value]) => value === wire?.fsIsolation)?.[0] ?? 'none';
  return {
    name,
    version,
    filesystem,
    networkModes: modes.length === 0 ? ['host'] : modes,
    mounts: wire?.mountConfigs !== Mounts.NO_MOUNTS,
    ...(wire?.disableLogCollection === true ? { ownLogs: true } : {}),
    ...(wire?.dynamicWorkloadUsers === true ? { dynamicUsers: true } : {}),
    ...(wire?.ownCgroups === true ? { ownCgroups: true } : {}),
  };
}

const healths = [
  ['undetected', HealthState.UNDETECTED],
  ['unhealthy', HealthState.UNHEALTHY],
  ['healthy', HealthState.HEALTHY],
] as const;

export function fingerprintToWire(report: Fingerprint): MessageInitShape<typeof FingerprintResponseSchema> {
  const attributes = Object.entries(report.attributes).map(
    ([name, text]) => [name, { value: { case: 'stringVal', value: text } as const }] as const,
  );
  return {
    attributes: Object.fromEntries(attributes),
    health: healths.find(([name]) => name === report.health)?.[1] ?? HealthState.UNDETECTED,
    healthDescription: report.description,
  };
}

const mostAttributes = 512;
const longestText = 1024;

/** `problem`: what of it cannot be used and is left out; null: all of it can. */
export function fingerprintFromWire(wire: FingerprintResponse): {
  readonly report: Fingerprint;
  readonly problem: string | null;
} {
  const short = (text: string): string => text.slice(0, longestText);
  if (wire.err !== '')
    return { report: { health: 'unhealthy', description: short(wire.err), attributes: {} }, problem: null };
  const known: Health | undefined = healths.find(([, value]) => value === wire.health)?.[0];
  const texts = Object.entries(wire.attributes).map(([name, value]) => [name, attributeText(value)] as const);
  const usable = texts
    .filter(([name, text]) => /^[\x21-\x7e]{1,256}$/.test(name) && text.length <= longestText)
    .slice(0, mostAttributes);
  const left = texts.length - usable.length;
  return {
    report: {
      health: known ?? 'unhealthy',
      description: short(wire.healthDescription) || (known ?? `unknown state ${wire.health}`),
      attributes: Object.fromEntries(usable),
    },
    problem:
      known === undefined
        ? `the state of health ${wire.health} is none`
        : left === 0
          ? null
          : `${left} attributes are too many, too long or have no proper name`,
  };
}

/** 10 with unit "GiB" → `"10GiB"`. */
function attributeText({ value, unit }: Attribute): string {
  return value.case === undefined ? '' : `${String(value.value)}${unit}`;
}

export function exitToWire(exit: TaskExit): MessageInitShape<typeof ExitResultSchema> {
  return { exitCode: exit.exitCode, signal: exit.signal, oomKilled: exit.oomKilled };
}

/** What could not be known, or the driver's own words, travel as the answer's error. */
export function exitErrorText(exit: TaskExit): string {
  return exit.unknown === undefined ? (exit.message ?? '') : `unknown: ${exit.unknown}`;
}

export function exitFromWire({ result, err }: Pick<WaitTaskResponse, 'result' | 'err'>): TaskExit {
  const unknown = /^unknown: (.+)$/.exec(err)?.[1];
  const signal = result?.signal ?? 0;
  return {
    exitCode: result?.exitCode ?? 0,
    signal: signal >= 0 && signal < 128 ? signal : 0,
    oomKilled: result?.oomKilled ?? false,
    ...(unknown === undefined ? {} : { unknown }),
    ...(err === '' || unknown !== undefined ? {} : { message: err }),
  };
}

const second = 1_000_000_000n;

export function timeToWire(unixNs: bigint): Timestamp {
  return create(TimestampSchema, { seconds: unixNs / second, nanos: Number(unixNs % second) });
}

export function timeFromWire(time: Timestamp | undefined): bigint {
  return time === undefined ? 0n : time.seconds * second + BigInt(time.nanos);
}

/** The first of January of the year 1. */
const goZeroTime = (): Timestamp => create(TimestampSchema, { seconds: -62_135_596_800n });

export function statusToWire(taskId: string, status: TaskStatus): MessageInitShape<typeof InspectTaskResponseSchema> {
  const states = { running: TaskState.RUNNING, exited: TaskState.EXITED, unknown: TaskState.UNKNOWN } as const;
  return {
    task: {
      id: taskId,
      name: taskId.split('/')[1] ?? '',
      state: states[status.state],
      startedAt: timeToWire(status.startedAt),
      // hosts in Go refuse an answer without it: what has not ended, ended at their zero time
      completedAt: status.completedAt === null ? goZeroTime() : timeToWire(status.completedAt),
      // nor may this be absent: it ends a whole agent in Go
      result: status.exit === null ? {} : exitToWire(status.exit),
    },
    driver: { attributes: { ...status.attributes } },
  };
}

export function statusFromWire(wire: InspectTaskResponse): TaskStatus {
  const { task } = wire;
  const state = task?.state === TaskState.RUNNING ? 'running' : task?.state === TaskState.EXITED ? 'exited' : 'unknown';
  const completedAt = timeFromWire(task?.completedAt);
  return {
    state,
    startedAt: timeFromWire(task?.startedAt),
    completedAt: state === 'running' || completedAt <= 0n ? null : completedAt,
    exit: state !== 'exited' || task?.result === undefined ? null : exitFromWire({ result: task.result, err: '' }),
    attributes: shortenedAll(wire.driver?.attributes ?? {}),
  };
}

export function overrideToWire(network: NetworkOverride): {
  portMap: Record<string, number>;
  addr: string;
  autoAdvertise: boolean;
} {
  return { portMap: { ...network.portMap }, addr: network.ip, autoAdvertise: network.autoAdvertise };
}

const mostPorts = 1_024;

/** Null: an address or a port in it is none. */
export function overrideFromWire(wire: WireOverride): NetworkOverride | null {
  const given = Object.values(wire.portMap);
  const ports =
    given.length <= mostPorts && given.every((port) => Number.isInteger(port) && port >= 0 && port <= 65_535);
  if (!ports || !/^[0-9a-fA-F.:]{0,45}$/.test(wire.addr)) return null;
  return { ip: wire.addr, portMap: wire.portMap, autoAdvertise: wire.autoAdvertise };
}

const cpuFields = [
  ['System Mode', CpuField.SYSTEM_MODE],
  ['User Mode', CpuField.USER_MODE],
  ['Total Ticks', CpuField.TOTAL_TICKS],
  ['Throttled Periods', CpuField.THROTTLED_PERIODS],
  ['Throttled Time', CpuField.THROTTLED_TIME],
  ['Percent', CpuField.PERCENT],
] as const;

const memoryFields = [
  ['RSS', MemoryField.RSS],
  ['Cache', MemoryField.CACHE],
  ['Max Usage', MemoryField.MAX_USAGE],
  ['Kernel Usage', MemoryField.KERNEL_USAGE],
  ['Kernel Max Usage', MemoryField.KERNEL_MAX_USAGE],
  ['Usage', MemoryField.USAGE],
  ['Swap', MemoryField.SWAP],
] as const;

const whole = (value: number): bigint => BigInt(Math.max(0, Math.round(value)));

export function statsToWire(taskId: string, stats: TaskStats): MessageInitShape<typeof TaskStatsSchema> {
  const { cpu, memory } = stats;
  return {
    id: taskId,
    timestamp: timeToWire(stats.timestamp),
    aggResourceUsage: {
      cpu: {
        systemMode: cpu.systemMode,
        userMode: cpu.userMode,
        totalTicks: cpu.totalTicks,
        percent: cpu.percent,
        throttledPeriods: whole(cpu.throttledPeriods),
        throttledTime: whole(cpu.throttledTime),
        measuredFields: cpuFields.filter(([name]) => cpu.measured.includes(name)).map(([, value]) => value),
      },
      memory: {
        rss: whole(memory.rss),
        cache: whole(memory.cache),
        swap: whole(memory.swap),
        usage: whole(memory.usage),
        maxUsage: whole(memory.maxUsage),
        kernelUsage: whole(memory.kernelUsage),
        kernelMaxUsage: whole(memory.kernelMaxUsage),
        measuredFields: memoryFields.filter(([name]) => memory.measured.includes(name)).map(([, value]) => value),
      },
    },
  };
}

/** A plugin may send anything: what is no amount counts as nothing. */
const amount = (value: number | bigint | undefined): number => {
  const number = Number(value ?? 0);
  return Number.isFinite(number) && number > 0 ? number : 0;
};

export function statsFromWire(wire: WireStats): TaskStats {
  const cpu = wire.aggResourceUsage?.cpu;
  const memory = wire.aggResourceUsage?.memory;
  return {
    timestamp: timeFromWire(wire.timestamp),
    cpu: {
      systemMode: amount(cpu?.systemMode),
      userMode: amount(cpu?.userMode),
      totalTicks: amount(cpu?.totalTicks),
      throttledPeriods: amount(cpu?.throttledPeriods),
      throttledTime: amount(cpu?.throttledTime),
      percent: amount(cpu?.percent),
      measured: cpuFields.filter(([, value]) => cpu?.measuredFields.includes(value) === true).map(([name]) => name),
    },
    memory: {
      rss: amount(memory?.rss),
      cache: amount(memory?.cache),
      swap: amount(memory?.swap),
      usage: amount(memory?.usage),
      maxUsage: amount(memory?.maxUsage),
      kernelUsage: amount(memory?.kernelUsage),
      kernelMaxUsage: amount(memory?.kernelMaxUsage),
      measured: memoryFields
        .filter(([, value]) => memory?.measuredFields.includes(value) === true)
        .map(([name]) => name),
    },
  };
}
