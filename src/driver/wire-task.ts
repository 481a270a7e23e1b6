/** A task's configuration between the driver contract and the plugin protocol. Pure. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type {
  CreatedNetwork,
  NetworkIsolation,
  NetworkIsolationMode,
  TaskConfig,
  TaskDirectories,
  TaskMount,
} from './contract.ts';
import {
  NetworkIsolationSpec_NetworkIsolationMode as Mode,
  type NetworkIsolationSpec,
  type NetworkIsolationSpecSchema,
  TaskConfigSchema,
  type TaskConfig as WireTask,
} from './gen/nomad/driver_pb.ts';

const megabyte = 1024n * 1024n;

export function taskToWire(task: TaskConfig, config: Uint8Array): WireTask {
  const { resources, log } = task;
  const memoryMb = Math.max(resources.memoryMaxMb, resources.memoryMb);
  return create(TaskConfigSchema, {
    id: task.id,
    name: task.name,
    msgpackDriverConfig: config,
    env: { ...task.env },
    resources: {
      allocatedResources: {
        cpu: { cpuShares: BigInt(Math.round(resources.cpuShares)) },
        memory: { memoryMb: BigInt(resources.memoryMb), memoryMaxMb: BigInt(resources.memoryMaxMb) },
      },
      linuxResources: {
        cpuShares: BigInt(Math.round(resources.cpuShares)),
        memoryLimitBytes: BigInt(memoryMb) * megabyte,
        cpusetCpus: resources.cpusetCpus,
        cpusetCgroup: resources.cpusetCgroup ?? '',
        PercentTicks: resources.percentTicks,
      },
      ports: resources.ports.map((port) => ({ ...port })),
    },
    mounts: task.mounts.map((mount) => ({
      taskPath: mount.taskPath,
      hostPath: mount.hostPath,
      readonly: mount.readOnly,
      propagationMode: mount.propagation,
    })),
    devices: task.devices.map((device) => ({
      taskPath: device.taskPath,
      hostPath: device.hostPath,
      cgroupPermissions: device.permissions,
    })),
    user: task.user,
    allocDir: task.directories.allocation,
    stdoutPath: log.fifos?.stdout ?? '',
    stderrPath: log.fifos?.stderr ?? '',
    taskGroupName: task.groupName,
    jobName: task.jobName,
    jobId: task.jobId,
    allocId: task.allocId,
    namespace: task.namespace,
    nodeName: task.nodeName,
    nodeId: task.nodeId,
    ...(task.network === null ? {} : { networkIsolationSpec: networkToWire(task.network) }),
    ...(task.dns === null
      ? {}
      : { dns: { servers: [...task.dns.servers], searches: [...task.dns.searches], options: [...task.dns.options] } }),
  });
}

/** What the protocol does not carry (log sizes, the isolation floor) gets what a foreign host means: its own log files, no floor. */
export function taskFromWire(wire: WireTask, config: unknown): TaskConfig {
  const { resources } = wire;
  const memory = resources?.allocatedResources?.memory;
  const linux = resources?.linuxResources;
  return {
    id: wire.id,
    name: wire.name,
    allocId: wire.allocId,
    groupName: wire.taskGroupName,
    jobId: wire.jobId,
    jobName: wire.jobName,
    namespace: wire.namespace,
    nodeId: wire.nodeId,
    nodeName: wire.nodeName,
    config,
    env: { ...wire.env, ...wire.deviceEnv },
    user: wire.user,
    resources: {
      cpuShares: Number(linux?.cpuShares ?? resources?.allocatedResources?.cpu?.cpuShares ?? 0n),
      cpusetCpus: linux?.cpusetCpus ?? '',
      memoryMb: Number(memory?.memoryMb ?? (linux?.memoryLimitBytes ?? 0n) / megabyte),
      memoryMaxMb: Number(memory?.memoryMaxMb ?? 0n),
      percentTicks: linux?.PercentTicks ?? 0,
      ports: (resources?.ports ?? []).map(({ label, value, to, hostIp }) => ({ label, value, to, hostIp })),
    },
    mounts: wire.mounts.map((mount) => ({
      taskPath: mount.taskPath,
      hostPath: mount.hostPath,
      readOnly: mount.readonly,
      propagation: propagationOf(mount.propagationMode),
    })),
    devices: wire.devices.map((device) => ({
      taskPath: device.taskPath,
      hostPath: device.hostPath,
      permissions: device.cgroupPermissions,
    })),
    network: wire.networkIsolationSpec === undefined ? null : networkFromWire(wire.networkIsolationSpec),
    dns:
      wire.dns === undefined
        ? null
        : { servers: wire.dns.servers, searches: wire.dns.searches, options: wire.dns.options },
    directories: directoriesOf(wire.allocDir, wire.name),
    log: {
      disabled: false,
      maxFiles: 10,
      maxFileSizeMb: 10,
      fifos: wire.stdoutPath === '' ? null : { stdout: wire.stdoutPath, stderr: wire.stderrPath },
    },
    isolationFloor: 'none',
  };
}

function propagationOf(mode: string): TaskMount['propagation'] {
  return mode === 'private' || mode === 'host-to-task' || mode === 'bidirectional' ? mode : '';
}

/** Where a host keeps an allocation's directories: the same below every allocation directory. */
function directoriesOf(allocation: string, name: string): TaskDirectories {
  const task = `${allocation}/${name}`;
  return {
    allocation,
    shared: `${allocation}/alloc`,
    task,
    local: `${task}/local`,
    secrets: `${task}/secrets`,
    private: `${task}/private`,
    tmp: `${task}/tmp`,
    logs: `${allocation}/alloc/logs`,
  };
}

const modes = [
  ['host', Mode.HOST],
  ['group', Mode.GROUP],
  ['task', Mode.TASK],
  ['none', Mode.NONE],
] as const;

export function networkModeToWire(mode: NetworkIsolationMode): Mode {
  return modes.find(([name]) => name === mode)?.[1] ?? Mode.HOST;
}

export function networkModeFromWire(mode: Mode): NetworkIsolationMode {
  return modes.find(([, value]) => value === mode)?.[0] ?? 'host';
}

export function networkToWire(network: NetworkIsolation): MessageInitShape<typeof NetworkIsolationSpecSchema> {
  const { mode, path, labels, hosts } = network;
  return {
    mode: networkModeToWire(mode),
    path,
    labels: { ...labels },
    ...(hosts === undefined ? {} : { hostsConfig: { ...hosts } }),
  };
}

export function networkFromWire(spec: NetworkIsolationSpec): NetworkIsolation {
  const { hostname = '', address = '' } = spec.hostsConfig ?? {};
  return {
    mode: networkModeFromWire(spec.mode),
    path: spec.path,
    labels: spec.labels,
    ...(spec.hostsConfig === undefined ? {} : { hosts: { hostname, address } }),
  };
}

export function createdNetworkFromWire(spec: NetworkIsolationSpec, created: boolean): CreatedNetwork {
  return { network: networkFromWire(spec), created };
}
