import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TaskConfig } from './contract.ts';
import * as wire from './gen/nomad/driver_pb.ts';
import { formatHandshake, parseHandshake } from './handshake.ts';
import { exitErrorText, exitFromWire, exitToWire, timeFromWire, timeToWire } from './wire-driver.ts';
import { taskFromWire, taskToWire } from './wire-task.ts';

/** The table of docs/adr/0002: every field of the protocol is carried, or named here with why it is not. */
const carried: Readonly<Record<string, readonly string[]>> = {
  TaskConfig:
    'id name msgpack_driver_config env device_env resources mounts devices user alloc_dir stdout_path stderr_path task_group_name job_name alloc_id network_isolation_spec dns job_id namespace node_name node_id'.split(
      ' ',
    ),
  Resources: ['allocated_resources', 'linux_resources', 'ports'],
  AllocatedTaskResources: ['cpu', 'memory'],
  AllocatedCpuResources: ['cpu_shares'],
  AllocatedMemoryResources: ['memory_mb', 'memory_max_mb'],
  LinuxResources: ['cpu_shares', 'memory_limit_bytes', 'cpuset_cpus', 'PercentTicks'],
  PortMapping: ['label', 'value', 'to', 'host_ip'],
  Mount: ['task_path', 'host_path', 'readonly', 'propagation_mode'],
  Device: ['task_path', 'host_path', 'cgroup_permissions'],
  NetworkIsolationSpec: ['mode', 'path', 'labels', 'hostsConfig'],
  DNSConfig: ['servers', 'searches', 'options'],
  TaskHandle: ['version', 'config', 'state', 'driver_state'],
  DriverCapabilities: [
    'send_signals',
    'exec',
    'fs_isolation',
    'network_isolation_modes',
    'mount_configs',
    'must_create_network',
    'disable_log_collection',
    'dynamic_workload_users',
    'own_cgroups',
  ],
  FingerprintResponse: ['attributes', 'health', 'health_description', 'err'],
  ExitResult: ['exit_code', 'signal', 'oom_killed'],
  WaitTaskResponse: ['result', 'err'],
  TaskStatus: ['id', 'name', 'state', 'started_at', 'completed_at', 'result'],
  TaskDriverStatus: ['attributes'],
  NetworkOverride: ['port_map', 'addr', 'auto_advertise'],
  TaskStats: ['id', 'timestamp', 'agg_resource_usage'],
  CPUUsage: [
    'system_mode',
    'user_mode',
    'total_ticks',
    'throttled_periods',
    'throttled_time',
    'percent',
    'measured_fields',
  ],
  MemoryUsage: ['rss', 'cache', 'max_usage', 'kernel_usage', 'kernel_max_usage', 'usage', 'swap', 'measured_fields'],
  DriverTaskEvent: ['task_id', 'alloc_id', 'task_name', 'timestamp', 'message', 'annotations'],
  StartTaskResponse: ['handle', 'network_override'],
};

const left: Readonly<Record<string, string>> = {
  'TaskConfig.parent_job_id': 'declared, never sent by hosts',
  'AllocatedTaskResources.networks': 'the older form of ports',
  'LinuxResources.cpu_period': 'a weight is all that is asked for',
  'LinuxResources.cpu_quota': 'a weight is all that is asked for',
  'LinuxResources.oom_score_adj': 'an option of drivers',
  'LinuxResources.cpuset_cgroup': 'the kit makes its own cgroup',
  'Mount.selinux_label': 'comes with container drivers',
  'Mount.request_name': 'comes with container drivers',
  'TaskStats.resource_usage_by_pid': 'nobody asks for it',
  'StartTaskResponse.result': 'unused by hosts',
  'StartTaskResponse.driver_error_msg': 'unused by hosts',
};

describe('the table of the protocol', () => {
  const messages: readonly DescMessage[] = wire.file_nomad_driver.messages;

  test.each(Object.keys(carried))('%s: every field is carried or left out for a reason', (name) => {
    const message = messages.find((each) => each.name === name);
    const fields = message?.fields.map((each) => each.name) ?? [];
    expect(fields.filter((field) => !carried[name]?.includes(field) && left[`${name}.${field}`] === undefined)).toEqual(
      [],
    );
    expect(carried[name]?.filter((field) => !fields.includes(field))).toEqual([]);
  });
});

const text = fc.string({ maxLength: 20 });
const task: fc.Arbitrary<TaskConfig> = fc
  .record({
    id: text,
    name: fc.constantFrom('web', 'a-b'),
    allocId: text,
    env: fc.dictionary(text, text),
    user: text,
    cpuShares: fc.nat(100_000),
    memoryMb: fc.nat(100_000),
    memoryMaxMb: fc.integer({ min: -1, max: 100_000 }),
    fifos: fc.option(fc.constant({ stdout: '/out', stderr: '/err' })),
    network: fc.option(
      fc.record({
        mode: fc.constantFrom('host', 'group', 'task', 'none' as const),
        path: text,
        labels: fc.dictionary(text, text),
      }),
    ),
  })
  .map(({ cpuShares, memoryMb, memoryMaxMb, fifos, network, ...given }) => ({
    ...given,
    groupName: 'g',
    jobId: 'j',
    jobName: 'j',
    namespace: 'default',
    nodeId: 'n',
    nodeName: 'n',
    config: { any: 1 },
    resources: {
      cpuShares,
      cpusetCpus: '0-1',
      memoryMb,
      memoryMaxMb,
      percentTicks: 0.5,
      ports: [{ label: 'http', value: 8080, to: 80, hostIp: '10.0.0.1' }],
    },
    mounts: [{ taskPath: '/a', hostPath: '/b', readOnly: true, propagation: 'private' as const }],
    devices: [{ taskPath: '/dev/x', hostPath: '/dev/y', permissions: 'rw' }],
    network: network as TaskConfig['network'],
    dns: { servers: ['1.1.1.1'], searches: [], options: ['ndots:2'] },
    directories: {
      allocation: '/allocs/1',
      shared: '/allocs/1/alloc',
      task: `/allocs/1/${given.name}`,
      local: `/allocs/1/${given.name}/local`,
      secrets: `/allocs/1/${given.name}/secrets`,
      private: `/allocs/1/${given.name}/private`,
      tmp: `/allocs/1/${given.name}/tmp`,
      logs: '/allocs/1/alloc/logs',
    },
    log: { disabled: false, maxFiles: 10, maxFileSizeMb: 10, fifos },
    isolationFloor: 'none' as const,
  }));

test('a task comes back from the wire as it went', () => {
  fc.assert(
    fc.property(task, (given) => {
      const bytes = toBinary(wire.TaskConfigSchema, taskToWire(given, new Uint8Array([0x80])));
      const back = taskFromWire(fromBinary(wire.TaskConfigSchema, bytes), given.config);
      expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(given)));
    }),
    { numRuns: 50 },
  );
});

test('an end keeps its code, its message, and that it is unknown', () => {
  for (const exit of [
    { exitCode: 5, signal: 0, oomKilled: false, message: 'went wrong' },
    { exitCode: 137, signal: 9, oomKilled: true },
    { exitCode: 0, signal: 0, oomKilled: false, unknown: 'shim-lost' },
  ]) {
    const result = create(wire.ExitResultSchema, exitToWire(exit));
    expect(exitFromWire({ result, err: exitErrorText(exit) })).toEqual(exit);
  }
});

test('times keep their nanoseconds', () => {
  expect(timeFromWire(timeToWire(1_795_486_299_123_456_789n))).toBe(1_795_486_299_123_456_789n);
});

test('a handshake is read, or refused with what is wrong', () => {
  expect(parseHandshake('1|2|unix|/run/plugin3141592|grpc|\n')).toEqual({
    network: 'unix',
    address: '/run/plugin3141592',
    certificate: '',
  });
  const certificate = 'A'.repeat(800);
  const wanted = { network: 'unix', address: '/run/p', certificate: '' };
  expect(parseHandshake(formatHandshake('/run/p', '', true))).toEqual(wanted);
  expect(parseHandshake(formatHandshake('/run/p', certificate, false))).toEqual({ ...wanted, certificate });
  // five, six and seven fields; a certificate or none; both networks
  expect(parseHandshake('1|2|tcp|127.0.0.1:10000|grpc')).toMatchObject({ network: 'tcp', address: '127.0.0.1:10000' });
  expect(parseHandshake('1|2|unix|/run/p|grpc')).toEqual(wanted);
  expect(parseHandshake('1|2|unix|/run/p|grpc|')).toEqual(wanted);
  expect(parseHandshake('1|2|unix|/run/p|grpc||true')).toEqual(wanted);
  expect(parseHandshake(`1|2|unix|/run/p|grpc|${certificate}|true`)).toEqual({ ...wanted, certificate });
  for (const [line, why] of [
    ['hello world', /too few fields/],
    ['2|2|unix|/p|grpc', /core protocol 2/],
    ['1|1|unix|/p|grpc', /protocol 1/],
    ['1|2|pipe|/p|grpc', /network pipe/],
    ['1|2|unix|/p', /netrpc/],
    ['1|2|unix||grpc|', /no address/],
  ] as const) {
    expect(() => parseHandshake(line)).toThrow(why);
  }
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        parseHandshake(line);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'invalid' });
      }
    }),
  );
});
