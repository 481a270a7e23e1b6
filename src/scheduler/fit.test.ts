import { describe, expect, it } from 'vitest';
import type { Allocation } from '../model/allocation.ts';
import { allocationsFit, useOf } from './fit.ts';
import { parsePorts } from './port-claims.ts';
import { testNode } from './test-cluster.ts';

function allocation(changes: {
  cpu?: number;
  memory?: number;
  disk?: number;
  port?: number;
  cores?: number[];
  status?: string;
}): Allocation {
  const { cpu = 100, memory = 100, disk = 10, port, cores = null, status = 'running' } = changes;
  return {
    DesiredStatus: 'run',
    ClientStatus: status,
    AllocatedResources: {
      Tasks: {
        t: {
          Cpu: { CpuShares: cpu, ReservedCores: cores },
          Memory: { MemoryMB: memory, MemoryMaxMB: 0 },
          Networks: null,
          Devices: null,
        },
      },
      Shared: {
        DiskMB: disk,
        Networks: null,
        Ports: port === undefined ? null : [{ Label: 'p', Value: port, To: 0, HostIP: '127.0.0.1' }],
      },
      TaskLifecycles: { t: null },
    },
  } as unknown as Allocation;
}

describe('allocations on a node', () => {
  const node = testNode('n1');

  it.each([
    ['cpu', [{ cpu: 3000 }, { cpu: 1001 }]],
    ['memory', [{ memory: 8000 }, { memory: 193 }]],
    ['disk', [{ disk: 100_001 }]],
    ['cores', [{ cores: [1, 2] }, { cores: [2] }]],
    ['network: reserved port collision p=80', [{ port: 80 }, { port: 80 }]],
    ['', [{ cpu: 3000 }, { cpu: 1000 }, { cpu: 4000, status: 'complete' }]],
  ])('do not fit together for lack of %s', (dimension, given) => {
    expect(allocationsFit(node, given.map(allocation))).toEqual({ fits: dimension === '', dimension });
  });

  it('never have a port that the operator keeps', () => {
    const kept = testNode('n1', {
      ReservedResources: { Cpu: {}, Memory: {}, Disk: {}, Networks: { ReservedHostPorts: '79-81' } } as never,
    });
    expect(allocationsFit(kept, [allocation({ port: 80 })]).fits).toBe(false);
  });

  it('that have no resources take none', () => {
    expect(useOf(null)).toEqual({ cpu: 0, memory: 0, disk: 0, cores: [] });
  });
});

it('a list of ports has single ones and ranges; the rest of it is ignored', () => {
  expect([...parsePorts('22, 8000-8002,x,-,70000-,99999')]).toEqual([22, 8000, 8001, 8002]);
});
