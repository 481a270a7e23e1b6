/** Jobs whose group has a network of its own, and what tests do with them. */
import { expect } from 'vitest';
import { type AgentProcess, eventually } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf } from '../e2e/jobs.ts';

export const wait = 'sleep 1000';

interface TaskOf {
  readonly driver?: string;
  /** For perl; default: nothing, then there is a `config`. */
  readonly script?: string;
  readonly config?: Record<string, unknown>;
  /** Default: 32. */
  readonly memoryMb?: number;
  /** Default: as the driver says. */
  readonly user?: string;
}

interface PortOf {
  readonly Label: string;
  readonly Value?: number;
  readonly To?: number;
}

export function job(id: string, mode: string, tasks: Record<string, TaskOf>, ports: readonly PortOf[] = [], more = {}) {
  const network = {
    Mode: mode,
    ReservedPorts: ports.filter((port) => port.Value !== undefined),
    DynamicPorts: ports.filter((port) => port.Value === undefined),
    ...more,
  };
  return {
    ID: id,
    Name: id,
    Type: 'service',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'g',
        Count: 1,
        RestartPolicy: { Attempts: 3, Interval: 3600e9, Delay: 100e6, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        EphemeralDisk: { SizeMB: 10 },
        Networks: [network],
        Tasks: Object.entries(tasks).map(([name, { driver = 'exec', script, config, memoryMb = 32, user = '' }]) => ({
          Name: name,
          Driver: driver,
          User: user,
          Config: config ?? { command: '/usr/bin/perl', args: ['-e', script] },
          KillTimeout: 200e6,
          Resources: { CPU: 10, MemoryMB: memoryMb },
          LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1 },
        })),
      },
    ],
  } as unknown as Parameters<AgentProcess['client']['jobs']['register']>[0];
}

export function groupsOf(agentOf: () => AgentProcess) {
  const logs = async (allocId: string, task: string, wanted: RegExp | string): Promise<string> =>
    eventually(async () => {
      const { stdout } = await runCli(agentOf(), ['alloc', 'logs', allocId, task]);
      expect(stdout).toMatch(wanted);
      return stdout;
    });
  async function start(...args: Parameters<typeof job>) {
    await agentOf().client.jobs.register(job(...args));
    const [row] = await allocationsOf(agentOf(), args[0], 'running');
    const { value } = await agentOf().client.allocations.read(row!.ID);
    const port = (label: string): number =>
      value.AllocatedResources?.Shared.Ports?.find((each) => each.Label === label)?.Value ?? 0;
    const address = await eventually(async () => {
      const { value: now } = await agentOf().client.allocations.read(row!.ID);
      if (!now.NetworkStatus?.Address && args[1] === 'bridge') throw new Error('no address yet');
      return now.NetworkStatus?.Address ?? '';
    });
    return { id: row!.ID, port, address };
  }
  async function stop(id: string): Promise<void> {
    await agentOf().client.jobs.deregister(id, { purge: true });
    await eventually(async () => {
      const { value } = await agentOf().client.jobs.allocations(id);
      if (value.some((row) => row.ClientStatus === 'running')) throw new Error('it runs still');
    });
  }
  return { logs, start, stop };
}

/** What a task is told of a port of the host's at `hostAddress` that leads to `to` in its allocation; sorted. */
export function variablesOf(
  label: string,
  alloc: { readonly address: string; port(label: string): number },
  hostAddress: string,
  to: number,
): readonly string[] {
  const port = alloc.port(label);
  return [
    `NOMAD_ADDR_${label}=${hostAddress}:${port}`,
    `NOMAD_ALLOC_ADDR_${label}=${alloc.address}:${to}`,
    `NOMAD_ALLOC_INTERFACE_${label}=eth0`,
    `NOMAD_ALLOC_IP_${label}=${alloc.address}`,
    `NOMAD_ALLOC_PORT_${label}=${to}`,
    `NOMAD_HOST_ADDR_${label}=${hostAddress}:${port}`,
    `NOMAD_HOST_IP_${label}=${hostAddress}`,
    `NOMAD_HOST_PORT_${label}=${port}`,
    `NOMAD_IP_${label}=${hostAddress}`,
    `NOMAD_PORT_${label}=${to}`,
  ];
}
