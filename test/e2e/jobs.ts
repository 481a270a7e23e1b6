/** Jobs of one shell task, as the API takes them, and waiting for what becomes of them. */
import type { AllocationStub } from '../../src/api-client/allocations.ts';
import type { DroverClient } from '../../src/api-client/index.ts';
import type { Job } from '../../src/model/job.ts';
import type { Input } from '../../src/model/schema.ts';
import { type AgentProcess, eventually } from '../agent-process.ts';

export interface ShellJob {
  readonly type?: 'service' | 'batch' | 'system' | 'sysbatch';
  readonly driver?: string;
  readonly count?: number;
  readonly constraints?: readonly { LTarget: string; Operand: string; RTarget: string }[];
  /** How often a task is started again on its node; 0: never. */
  readonly attempts?: number;
  /** Merged into the group. */
  readonly group?: Record<string, unknown>;
  /** Merged into the task. */
  readonly task?: Record<string, unknown>;
}

export function shellJob(id: string, script: string, more: ShellJob = {}): Input<Job> {
  const restart = { Attempts: more.attempts ?? 0, Interval: 3600e9, Delay: 50e6, Mode: 'fail' };
  const reschedule = {
    Attempts: 0,
    Interval: 0,
    Unlimited: true,
    Delay: 5e9,
    MaxDelay: 5e9,
    DelayFunction: 'constant',
  };
  return {
    ID: id,
    Name: id,
    Type: more.type ?? 'service',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'g',
        Count: more.count ?? 1,
        RestartPolicy: restart,
        ...(more.type?.startsWith('sys') ? {} : { ReschedulePolicy: reschedule }),
        EphemeralDisk: { SizeMB: 10 },
        Constraints: more.constraints ?? [],
        Tasks: [
          {
            Name: 't',
            Driver: more.driver ?? 'raw_exec',
            Config: { command: '/bin/sh', args: ['-c', script] },
            KillTimeout: 1e9,
            Resources: { CPU: 10, MemoryMB: 32 },
            LogConfig: { MaxFiles: 3, MaxFileSizeMB: 2 },
            ...more.task,
          },
        ],
        ...more.group,
      },
    ],
  } as unknown as Input<Job>;
}

/** The job's allocations, once as many as wanted have the status (and are meant to run, if it is `running`). */
export function allocationsOf(
  agent: { readonly client: DroverClient },
  job: string,
  status: string,
  count = 1,
  timeoutMs = 60_000,
): Promise<readonly AllocationStub[]> {
  return eventually(async () => {
    const { value } = await agent.client.jobs.allocations(job);
    const found = value.filter(
      (row) => row.ClientStatus === status && (status !== 'running' || row.DesiredStatus === 'run'),
    );
    if (found.length !== count) {
      const seen = value.map(
        (row) => `${row.ID.slice(0, 8)} ${row.DesiredStatus}/${row.ClientStatus} on ${row.NodeName}`,
      );
      throw new Error(`${job}: wanted ${count} × ${status}, found:\n${seen.join('\n')}\n${eventsOf(value.at(0))}`);
    }
    return found;
  }, timeoutMs);
}

function eventsOf(row: AllocationStub | undefined): string {
  const events = Object.values(row?.TaskStates ?? {}).flatMap((state) => state.Events ?? []);
  return events.map((event) => `  ${event.Type}: ${event.DisplayMessage}`).join('\n');
}

/** The node is known to the server and ready for work. */
export function nodeReady(
  agent: { readonly client: DroverClient },
  name = 'node1',
  status = 'ready',
  timeoutMs = 60_000,
) {
  return eventually(async () => {
    const { value } = await agent.client.nodes.list();
    const node = value.find((row) => row.Name === name);
    if (node?.Status !== status) throw new Error(`node ${name} is ${node?.Status ?? 'unknown'}, wanted ${status}`);
    return node;
  }, timeoutMs);
}

/** What the task has written so far. */
export async function output(
  agent: AgentProcess,
  allocId: string,
  type: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const frame of agent.client.files.logs(allocId, { task: 't', type })) chunks.push(frame.data);
  return Buffer.concat(chunks).toString('utf8');
}
