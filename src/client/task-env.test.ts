import { describe, expect, it } from 'vitest';
import type { Node } from '../model/node.ts';
import { taskDirectories } from './alloc-dir.ts';
import { testAllocation, testJob } from './client-test-kit.ts';
import { evaluateConfig } from './config-template.ts';
import { interpolate } from './interpolate.ts';
import { buildTaskEnv, defaultDeniedEnv, formatCores, type TaskEnvInput } from './task-env.ts';

const job = testJob(
  'dump-raw',
  [
    {
      Name: 'main-task',
      Env: {
        PLAIN: 'value',
        INTERP: '${NOMAD_ALLOC_NAME}-${node.datacenter}-${meta.shared}',
        ATTR: '${attr.kernel.name}',
        'dot.key': 'dotted',
        EMPTY: '',
      },
      Meta: { taskkey: 'taskval', shared: 'from-task' },
    },
  ],
  { group: { Meta: { groupkey: 'groupval', shared: 'from-group' } } },
);
const alloc = testAllocation(
  { ...job, Meta: { jobkey: 'jobval', 'dash-key': 'd', shared: 'from-job' } },
  {
    AllocatedResources: {
      Tasks: {
        'main-task': {
          Cpu: { CpuShares: 100, ReservedCores: null },
          Memory: { MemoryMB: 64, MemoryMaxMB: 128 },
          Networks: null,
          Devices: null,
        },
      },
      Shared: {
        DiskMB: 10,
        Networks: null,
        Ports: [
          { Label: 'http', Value: 25000, To: 0, HostIP: '127.0.0.1' },
          { Label: 'db', Value: 24567, To: 5432, HostIP: '127.0.0.1' },
          { Label: 'with-dash', Value: 25001, To: 0, HostIP: '127.0.0.1' },
        ],
      },
      TaskLifecycles: null,
    },
  },
);
const node = {
  ID: 'node-id',
  Name: 'node1',
  Datacenter: 'dc1',
  NodeClass: '',
  NodePool: 'default',
  Attributes: { 'kernel.name': 'linux' },
  Meta: {},
};

function input(over: Partial<TaskEnvInput> = {}): TaskEnvInput {
  const group = alloc.Job!.TaskGroups![0]!;
  return {
    alloc,
    job: alloc.Job!,
    group,
    task: group.Tasks![0]!,
    node: node as unknown as Node,
    region: 'global',
    cgroupParent: 'nomad.slice',
    filesystem: 'none',
    directories: taskDirectories('/data/alloc', alloc.ID, 'main-task'),
    network: null,
    hostEnv: { HOME: '/root', NOMAD_TOKEN: 'canary', AWS_SECRET_ACCESS_KEY: 'canary' },
    denied: new Set(defaultDeniedEnv),
    ...over,
  };
}

describe("a task's environment", () => {
  it('has every variable that was recorded inside a real task', () => {
    const base = `/data/alloc/${alloc.ID}`;
    expect(buildTaskEnv(input()).variables).toEqual({
      ATTR: 'linux',
      EMPTY: '',
      HOME: '/root',
      INTERP: 'dump-raw.g[0]-dc1-${meta.shared}',
      PLAIN: 'value',
      'dot.key': 'dotted',
      NOMAD_ADDR_db: '127.0.0.1:24567',
      NOMAD_ADDR_http: '127.0.0.1:25000',
      NOMAD_ADDR_with_dash: '127.0.0.1:25001',
      NOMAD_ALLOC_DIR: `${base}/alloc`,
      NOMAD_ALLOC_ID: alloc.ID,
      NOMAD_ALLOC_INDEX: '0',
      NOMAD_ALLOC_NAME: 'dump-raw.g[0]',
      NOMAD_ALLOC_PORT_db: '5432',
      NOMAD_ALLOC_PORT_http: '25000',
      'NOMAD_ALLOC_PORT_with-dash': '25001',
      NOMAD_CPU_CORES: ' ',
      NOMAD_CPU_LIMIT: '100',
      NOMAD_DC: 'dc1',
      NOMAD_GROUP_NAME: 'g',
      NOMAD_HOST_ADDR_db: '127.0.0.1:24567',
      NOMAD_HOST_ADDR_http: '127.0.0.1:25000',
      'NOMAD_HOST_ADDR_with-dash': '127.0.0.1:25001',
      NOMAD_HOST_IP_db: '127.0.0.1',
      NOMAD_HOST_IP_http: '127.0.0.1',
      'NOMAD_HOST_IP_with-dash': '127.0.0.1',
      NOMAD_HOST_PORT_db: '24567',
      NOMAD_HOST_PORT_http: '25000',
      NOMAD_HOST_PORT_with_dash: '25001',
      NOMAD_IP_db: '127.0.0.1',
      NOMAD_IP_http: '127.0.0.1',
      NOMAD_IP_with_dash: '127.0.0.1',
      NOMAD_JOB_ID: 'dump-raw',
      NOMAD_JOB_NAME: 'dump-raw',
      NOMAD_MEMORY_LIMIT: '64',
      NOMAD_MEMORY_MAX_LIMIT: '128',
      NOMAD_META_DASH_KEY: 'd',
      NOMAD_META_GROUPKEY: 'groupval',
      NOMAD_META_JOBKEY: 'jobval',
      NOMAD_META_SHARED: 'from-task',
      NOMAD_META_TASKKEY: 'taskval',
      NOMAD_META_dash_key: 'd',
      NOMAD_META_groupkey: 'groupval',
      NOMAD_META_jobkey: 'jobval',
      NOMAD_META_shared: 'from-task',
      NOMAD_META_taskkey: 'taskval',
      NOMAD_NAMESPACE: 'default',
      NOMAD_PARENT_CGROUP: 'nomad.slice',
      NOMAD_PORT_db: '5432',
      NOMAD_PORT_http: '25000',
      NOMAD_PORT_with_dash: '25001',
      NOMAD_REGION: 'global',
      NOMAD_SECRETS_DIR: `${base}/main-task/secrets`,
      NOMAD_SHORT_ALLOC_ID: alloc.ID.slice(0, 8),
      NOMAD_TASK_DIR: `${base}/main-task/local`,
      NOMAD_TASK_NAME: 'main-task',
    });
  });

  it('names directories as the task sees them', () => {
    const { variables } = buildTaskEnv(input({ filesystem: 'chroot' }));
    expect(variables).toMatchObject({
      NOMAD_ALLOC_DIR: '/alloc',
      NOMAD_TASK_DIR: '/local',
      NOMAD_SECRETS_DIR: '/secrets',
      HOME: '/root',
    });
    expect(buildTaskEnv(input({ filesystem: 'image' })).variables).not.toHaveProperty('HOME');
  });

  it("never holds the agent's credentials", () => {
    expect(JSON.stringify(buildTaskEnv(input()).variables)).not.toContain('canary');
  });

  it('stands in plain texts, where unknown names stay as written', () => {
    const { names } = buildTaskEnv(input());
    expect(interpolate('${NOMAD_PORT_http} ${nope} ${node.unique.name}', names)).toBe('25000 ${nope} node1');
  });

  it('tells a task with a network of its own its address there, and nobody else', () => {
    const network = { path: '/run/netns/x', interfaceName: 'eth0', address: '172.26.64.2', egress: '' };
    const own = (env: TaskEnvInput): string[] =>
      Object.entries(buildTaskEnv(env).variables).flatMap(([name, value]) =>
        /^NOMAD_ALLOC_(INTERFACE|IP|ADDR)_http$/.test(name) ? [`${name}=${value}`] : [],
      );
    expect(own(input({ network }))).toEqual([
      'NOMAD_ALLOC_INTERFACE_http=eth0',
      'NOMAD_ALLOC_IP_http=172.26.64.2',
      'NOMAD_ALLOC_ADDR_http=172.26.64.2:25000',
    ]);
    expect(own(input())).toEqual([]);
  });

  it('writes cores as ranges', () => {
    expect(formatCores([5, 0, 1, 2])).toBe('0-2,5');
    expect(formatCores([])).toBe('');
  });
});

describe("a task's driver configuration", () => {
  const env = buildTaskEnv(input());
  const evaluated = (config: Record<string, unknown>) => evaluateConfig(config, env);

  it('is evaluated at any depth, keys included, with the environment, the node and functions', () => {
    const config = {
      args: [
        '${NOMAD_PORT_http}',
        '-${env["dot.key"]}-',
        '${upper(node.unique.name)}',
        '${attr.kernel.name}',
        '${dot.key}',
      ],
      labels: [{ '${PLAIN}': 'plain', n: 5, yes: true, none: null }],
    };
    expect(evaluated(config)).toEqual({
      ok: true,
      value: {
        args: ['25000', '-dotted-', 'NODE1', 'linux', 'dotted'],
        labels: [{ value: 'plain', n: 5, yes: true, none: null }],
      },
    });
  });

  it('keeps what is escaped and what only looks like a template', () => {
    expect(evaluated({ a: '$${PLAIN}', b: '%%{x}', c: '$PLAIN 100%', d: 'a { b }' })).toEqual({
      ok: true,
      value: { a: '${PLAIN}', b: '%{x}', c: '$PLAIN 100%', d: 'a { b }' },
    });
  });

  it('says every name that is not known and every broken template at once', () => {
    const result = evaluated({ a: '${NOPE}', b: ['${open'], c: '${meta.nope}' });
    expect(result.ok).toBe(false);
    if (!result.ok) {
      expect(result.problems.length).toBeGreaterThanOrEqual(3);
      expect(result.problems.join(' ')).toContain('NOPE');
    }
  });
});
