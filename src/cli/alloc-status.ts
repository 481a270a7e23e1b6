import type { DroverClient, IsolationReport } from '../api-client/index.ts';
import { formatDuration } from '../lib/duration.ts';
import type { Allocation } from '../model/allocation.ts';
import type { AllocResourceUsage, ResourceUsage } from '../model/resource-usage.ts';
import type { Task } from '../model/task.ts';
import type { TaskState } from '../model/task-state.ts';
import { asking, connectTo } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { formatAgo, formatBytes, formatId, formatTime } from './formats.ts';
import { formatFlags, printFormatted, wantsFormat } from './formatted.ts';
import { taskIsolation } from './isolation-view.ts';
import { resolveAllocation } from './resolve-id.ts';
import { formatPairs, formatTable, heading, type Row } from './table.ts';

export const command: Command = {
  usage: 'alloc status [options] <allocation>',
  help: 'Shows an allocation: where it runs and why, its addresses, and for each task its state, resources and last events.',
  flags: {
    short: { kind: 'bool', help: 'Only the tasks and their last events.' },
    stats: { kind: 'bool', help: 'Detailed resource use of each task.' },
    verbose: { kind: 'bool', help: 'Whole ids, exact times, placement scores.' },
    ...formatFlags,
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'allocations',
  run,
};

export async function run(call: Call): Promise<number> {
  const { args, terminal } = call;
  if (args.length !== 1 && !(args.length === 0 && wantsFormat(call))) {
    throw new CommandError(
      "This command takes one of the following argument conditions:\n * A single <allocation>\n * No arguments, with output format specified\nFor additional help try 'drover alloc status -help'",
    );
  }
  const client = connectTo(call);
  try {
    if (args[0] === undefined) {
      await printFormatted(call, (await asking('Error querying allocations', client.allocations.list())).value);
      return 0;
    }
    const stub = await resolveAllocation(client, args[0]);
    const { value } = await asking('Error querying allocation', client.allocations.read(stub.ID));
    if (!(await printFormatted(call, value))) terminal.out(await show(call, client, value));
    return 0;
  } finally {
    client.close();
  }
}

async function show(call: Call, client: DroverClient, allocation: Allocation): Promise<string> {
  const { flags, terminal } = call;
  const verbose = flags.bool('verbose');
  if (flags.bool('short'))
    return `${shortOverview(allocation, verbose)}\n\n${heading(terminal, 'Tasks')}\n${taskTable(allocation)}`;
  const parts = [overview(allocation, verbose)];
  const addresses = addressTable(allocation);
  if (addresses !== '') parts.push(`Allocation Addresses:\n${addresses}`);
  const usage = allocation.ClientStatus === 'running' ? await readUsage(client, allocation.ID) : null;
  const isolation = await readIsolation(client, allocation.ID);
  for (const task of tasksOf(allocation)) {
    parts.push(taskSection(call, allocation, task, { usage, isolation: isolation[task.Name] ?? null }));
  }
  if (verbose) parts.push(`${heading(terminal, 'Placement Metrics')}\n${scores(allocation)}`);
  return parts.join('\n\n');
}

async function readUsage(client: DroverClient, id: string): Promise<AllocResourceUsage | null> {
  try {
    return (await client.allocations.stats(id)).value;
  } catch {
    return null; // the node may be unreachable: everything else is still worth showing
  }
}

/** The same: a node that does not answer leaves the rest to be shown. */
async function readIsolation(
  client: DroverClient,
  id: string,
): Promise<{ readonly [task: string]: IsolationReport | null }> {
  try {
    return (await client.allocations.isolation(id)).value;
  } catch {
    return {};
  }
}

function shortOverview(allocation: Allocation, verbose: boolean): string {
  const time = verbose ? formatTime : formatAgo;
  return formatPairs([
    ['ID', allocation.ID],
    ['Name', allocation.Name],
    ['Created', time(allocation.CreateTime)],
    ['Modified', time(allocation.ModifyTime)],
  ]);
}

function overview(allocation: Allocation, verbose: boolean): string {
  const time = verbose ? formatTime : formatAgo;
  const id = (text: string): string => formatId(text, verbose);
  const health = allocation.DeploymentStatus?.Healthy;
  const optional: [string, string][] = [];
  if (allocation.DeploymentID !== '') {
    optional.push(['Deployment ID', id(allocation.DeploymentID)]);
    optional.push(['Deployment Health', health == null ? 'unset' : health ? 'healthy' : 'unhealthy']);
  }
  if (allocation.NextAllocation !== '') optional.push(['Replacement Alloc ID', id(allocation.NextAllocation)]);
  if (allocation.FollowupEvalID !== '') optional.push(['Reschedule Eval', id(allocation.FollowupEvalID)]);
  const metric = allocation.Metrics;
  const metrics: [string, string | number][] =
    verbose && metric !== null
      ? [
          ['Evaluated Nodes', metric.NodesEvaluated],
          ['Filtered Nodes', metric.NodesFiltered],
          ['Exhausted Nodes', metric.NodesExhausted],
          ['Allocation Time', formatDuration(metric.AllocationTime)],
          ['Failures', metric.CoalescedFailures],
        ]
      : [];
  return formatPairs([
    ['ID', allocation.ID],
    ['Eval ID', id(allocation.EvalID)],
    ['Name', allocation.Name],
    ['Node ID', id(allocation.NodeID)],
    ['Node Name', allocation.NodeName],
    ['Job ID', allocation.JobID],
    ['Job Version', allocation.Job?.Version ?? 0],
    ['Client Status', allocation.ClientStatus],
    ['Client Description', allocation.ClientDescription],
    ['Desired Status', allocation.DesiredStatus],
    ['Desired Description', allocation.DesiredDescription],
    ['Created', time(allocation.CreateTime)],
    ['Modified', time(allocation.ModifyTime)],
    ...optional,
    ...metrics,
  ]);
}

function addressTable(allocation: Allocation): string {
  const ports = allocation.AllocatedResources?.Shared.Ports ?? [];
  const networks = allocation.AllocatedResources?.Shared.Networks ?? [];
  const dynamic = new Set(networks.flatMap((network) => (network.DynamicPorts ?? []).map((port) => port.Label)));
  if (ports.length === 0) return '';
  const rows = ports.map((port) => {
    const host = port.HostIP.includes(':') ? `[${port.HostIP}]` : port.HostIP;
    const to = port.To > 0 && port.To !== port.Value ? ` -> ${port.To}` : '';
    return [`*${port.Label}`, dynamic.has(port.Label) ? 'yes' : 'no', `${host}:${port.Value}${to}`];
  });
  return formatTable([['Label', 'Dynamic', 'Address'], ...rows]);
}

function tasksOf(allocation: Allocation): readonly Task[] {
  return allocation.Job?.TaskGroups?.find((group) => group.Name === allocation.TaskGroup)?.Tasks ?? [];
}

function lifecycleOf(task: Task): string {
  if (task.Lifecycle === null) return 'main';
  return task.Lifecycle.Hook + (task.Lifecycle.Sidecar ? '_sidecar' : '');
}

function taskTable(allocation: Allocation): string {
  const rows = tasksOf(allocation).map((task) => {
    const state = allocation.TaskStates?.[task.Name];
    const last = state?.Events?.at(-1);
    return [task.Name, state?.State ?? 'pending', last?.Type ?? '', formatTime(last?.Time), lifecycleOf(task)];
  });
  return formatTable([['Name', 'State', 'Last Event', 'Time', 'Lifecycle'], ...rows]);
}

interface Asked {
  readonly usage: AllocResourceUsage | null;
  readonly isolation: IsolationReport | null;
}

function taskSection(call: Call, allocation: Allocation, task: Task, { usage, isolation }: Asked): string {
  const { flags, terminal } = call;
  const state = allocation.TaskStates?.[task.Name];
  const used = usage?.Tasks?.[task.Name]?.ResourceUsage ?? null;
  const kind = task.Lifecycle === null ? '' : ` (${task.Lifecycle.Hook}${task.Lifecycle.Sidecar ? ' sidecar' : ''})`;
  const parts = [
    `${heading(terminal, `Task "${task.Name}"${kind} is "${state?.State ?? 'pending'}"`)}\n${resources(allocation, task, used)}`,
  ];
  if (flags.bool('stats') && used !== null) parts.push(detailedUsage(used));
  const choice = state?.DriverChoice;
  if (choice != null)
    parts.push(
      formatPairs([
        ['Driver', `${choice.Driver} (chosen by auto)`],
        ['Because', choice.Reason],
      ]),
    );
  const isolated = isolation === null ? '' : taskIsolation(terminal, isolation, flags.bool('verbose'));
  if (isolated !== '') parts.push(isolated);
  if (state !== undefined) parts.push(history(state), `Recent Events:\n${events(state)}`);
  return parts.join('\n\n');
}

function resources(allocation: Allocation, task: Task, used: ResourceUsage | null): string {
  const given = allocation.AllocatedResources?.Tasks?.[task.Name];
  const mib = 1024 * 1024;
  const cpu = given?.Cpu.CpuShares ?? 0;
  const memory = formatBytes((given?.Memory.MemoryMB ?? 0) * mib);
  const memoryMax = given?.Memory.MemoryMaxMB ?? 0;
  const rows: Row[] = [
    [
      used?.CpuStats == null ? `${cpu} MHz` : `${Math.floor(used.CpuStats.TotalTicks)}/${cpu} MHz`,
      used?.MemoryStats == null ? memory : `${formatBytes(memoryInUse(used.MemoryStats))}/${memory}`,
      formatBytes((allocation.AllocatedResources?.Shared.DiskMB ?? 0) * mib),
      ' ',
    ],
  ];
  if (memoryMax > 0) rows.push([' ', `Max: ${formatBytes(memoryMax * mib)}`, ' ', ' ']);
  const table = formatTable([['CPU', 'Memory', 'Disk', 'Addresses'], ...rows]);
  return `Task Resources:\n${table.replace(/ $/gm, '')}`;
}

/** Resident memory where it is measured, as Nomad shows it; else all that is counted against the limit. */
function memoryInUse({ RSS, Usage, Measured }: NonNullable<ResourceUsage['MemoryStats']>): number {
  return Measured?.includes('RSS') === true || RSS > 0 ? RSS : Usage;
}

function detailedUsage(used: ResourceUsage): string {
  const parts: string[] = [];
  const memory = used.MemoryStats;
  if (memory !== null) {
    const values: Record<string, number> = {
      RSS: memory.RSS,
      Cache: memory.Cache,
      Swap: memory.Swap,
      Usage: memory.Usage,
      'Max Usage': memory.MaxUsage,
      'Kernel Usage': memory.KernelUsage,
      'Kernel Max Usage': memory.KernelMaxUsage,
    };
    const names = (memory.Measured ?? []).filter((name) => name in values);
    parts.push(`Memory Stats\n${formatTable([names, names.map((name) => formatBytes(values[name]!))])}`);
  }
  const cpu = used.CpuStats;
  if (cpu !== null) {
    const values: Record<string, string> = {
      Percent: `${cpu.Percent.toFixed(2)}%`,
      'System Mode': `${cpu.SystemMode.toFixed(2)}%`,
      'User Mode': `${cpu.UserMode.toFixed(2)}%`,
      'Throttled Periods': `${cpu.ThrottledPeriods}`,
      'Throttled Time': `${cpu.ThrottledTime}`,
    };
    const names = (cpu.Measured ?? []).filter((name) => name in values).sort();
    parts.push(`CPU Stats\n${formatTable([names, names.map((name) => values[name]!)])}`);
  }
  return parts.join('\n\n');
}

function history(state: TaskState): string {
  return `Task Events:\n${formatPairs([
    ['Started At', formatTime(state.StartedAt)],
    ['Finished At', formatTime(state.FinishedAt)],
    ['Total Restarts', state.Restarts],
    ['Last Restart', formatTime(state.LastRestart)],
  ])}`;
}

function events(state: TaskState): string {
  const rows = [...(state.Events ?? [])]
    .reverse()
    .map((event) => [formatTime(event.Time), event.Type, event.DisplayMessage.replace(/\s*\n\s*/g, ' ')]);
  return formatTable([['Time', 'Type', 'Description'], ...rows]);
}

function scores(allocation: Allocation): string {
  const rows = allocation.Metrics?.ScoreMetaData ?? [];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.Scores ?? {})))].sort();
  const number = (value: number): string => String(Number(value.toPrecision(3)));
  return formatTable([
    ['Node', ...names, 'final score'],
    ...rows.map((row) => [row.NodeID, ...names.map((name) => number(row.Scores?.[name] ?? 0)), number(row.NormScore)]),
  ]);
}
