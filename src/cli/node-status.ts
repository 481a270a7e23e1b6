import type { DroverClient, NodeStub } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import type { Allocation } from '../model/allocation.ts';
import type { HostStats } from '../model/host-stats.ts';
import type { Node } from '../model/node.ts';
import { asking, connectTo } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { formatAgo, formatBytes, formatId, formatTime } from './formats.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { nodeIsolation } from './isolation-view.ts';
import { resolveNode } from './resolve-id.ts';
import { formatPairs, formatTable, heading } from './table.ts';

export const command: Command = {
  usage: 'node status [options] [<node>]',
  help: 'Lists the nodes, or shows one: what it has, what of it is allocated and used, its drivers, events and allocations.',
  flags: {
    self: { kind: 'bool', help: 'The node of the agent that is asked.' },
    short: { kind: 'bool', help: 'Leave resources and events out.' },
    verbose: { kind: 'bool', help: "Whole ids, each driver's health, attributes (isolation among them) and metadata." },
    stats: { kind: 'bool', help: 'Detailed use of the host.' },
    allocs: { kind: 'bool', help: 'In the list: how many allocations run.' },
    os: { kind: 'bool', help: 'In the list: the operating system.' },
    quiet: { kind: 'bool', help: 'Only ids.' },
    ...formatFlags,
    filter: { kind: 'string', value: '<expression>', help: 'Only nodes for which the expression holds.' },
    'per-page': { kind: 'int', value: '<n>', help: 'How many rows at the most.' },
    'page-token': { kind: 'string', value: '<token>', help: 'Where the page before ended.' },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  complete: 'nodes',
  run,
};

export async function run(call: Call): Promise<number> {
  const { args, flags, terminal } = call;
  if (args.length > 1)
    throw new CommandError(
      "This command takes either one or no arguments\nFor additional help try 'drover node status -help'",
    );
  const client = connectTo(call);
  try {
    if (args.length === 0 && !flags.bool('self')) {
      await list(call, client);
      return 0;
    }
    const id = flags.bool('self') ? await ownNode(client) : (await resolveNode(client, args[0]!)).ID;
    const { value: node } = await asking('Error querying node info', client.nodes.read(id));
    if (!(await printFormatted(call, node))) terminal.out(await show(call, client, node));
    return 0;
  } finally {
    client.close();
  }
}

export async function ownNode(client: DroverClient): Promise<string> {
  const { value } = await asking('Error querying agent info', client.agent.self());
  const id = value.stats['client']?.['node_id'];
  if (id === undefined) throw new CommandError('The agent that was asked is no client: it has no node of its own');
  return id;
}

async function list(call: Call, client: DroverClient): Promise<void> {
  const { flags, terminal } = call;
  const query = {
    filter: flags.string('filter'),
    per_page: flags.int('per-page'),
    next_token: flags.string('page-token'),
    os: flags.bool('os') || undefined,
  };
  const { value: nodes, nextToken } = await asking('Error querying node status', client.nodes.list({ query }));
  if (await printFormatted(call, nodes)) return;
  if (flags.bool('quiet')) return terminal.out(nodes.map((node) => node.ID).join('\n'));
  terminal.out(await listTable(call, client, nodes));
  if (nextToken !== '')
    terminal.error(
      `Results have been paginated. To get the next page run:\n  drover node status -page-token ${nextToken}`,
    );
}

async function listTable({ flags }: Call, client: DroverClient, nodes: readonly NodeStub[]): Promise<string> {
  const verbose = flags.bool('verbose');
  const counts = flags.bool('allocs') ? await runningCounts(client, nodes) : undefined;
  const columns: [string, (node: NodeStub) => string | number | boolean][] = [
    ['ID', (node) => formatId(node.ID, verbose)],
    ['Node Pool', (node) => node.NodePool],
    ['DC', (node) => node.Datacenter],
    ['Name', (node) => node.Name],
    ['Class', (node) => node.NodeClass],
    ...(flags.bool('os')
      ? [['OS', (node: NodeStub) => node.Attributes?.['os.name'] ?? ''] as [string, (node: NodeStub) => string]]
      : []),
    ...(verbose
      ? ([
          ['Address', (node) => node.Address],
          ['Version', (node) => node.Version],
        ] as [string, (node: NodeStub) => string][])
      : []),
    ['Drain', (node) => node.Drain],
    ['Eligibility', (node) => node.SchedulingEligibility],
    ['Status', (node) => node.Status],
    ...(counts === undefined
      ? []
      : [['Running Allocs', (node: NodeStub) => counts.get(node.ID) ?? 0] as [string, (node: NodeStub) => number]]),
  ];
  if (nodes.length === 0) return 'No nodes registered';
  return formatTable([
    columns.map(([title]) => title),
    ...nodes.map((node) => columns.map(([, value]) => value(node))),
  ]);
}

async function runningCounts(client: DroverClient, nodes: readonly NodeStub[]): Promise<Map<string, number>> {
  const counts = await Promise.all(
    nodes.map((node) => asking('Error querying node allocations', client.nodes.allocations(node.ID))),
  );
  return new Map(
    nodes.map((node, at) => [node.ID, counts[at]!.value.filter((row) => row.ClientStatus === 'running').length]),
  );
}

async function show({ flags, terminal }: Call, client: DroverClient, node: Node): Promise<string> {
  const verbose = flags.bool('verbose');
  const short = flags.bool('short');
  const stats = short
    ? null
    : await client.nodes.stats(node.ID).then(
        (read) => read.value,
        () => null,
      );
  const { value: allocations } = await asking('Error querying node allocations', client.nodes.allocations(node.ID));
  const parts = [overview(node, stats, { verbose, short })];
  const section = (title: string, body: string): number => parts.push(`${heading(terminal, title)}\n${body}`);
  if (!short) {
    if (verbose) section('Drivers', driverTable(node));
    if (verbose) section('Isolation', nodeIsolation(terminal, node));
    section('Node Events', eventTable(node, verbose));
    section('Allocated Resources', allocatedTable(node, allocations));
    section('Allocation Resource Utilization', await utilization(client, node, allocations));
    section('Host Resource Utilization', stats === null ? 'The node does not answer' : hostTable(node, stats));
    if (flags.bool('stats') && stats !== null) section('CPU Stats', cpuStats(stats));
  }
  section('Allocations', allocationRows(allocations, verbose));
  if (verbose) {
    section('Attributes', formatPairs(sortedEntries(node.Attributes)));
    section('Meta', formatPairs(sortedEntries(node.Meta)));
  }
  return parts.join('\n\n');
}

function overview(
  node: Node,
  stats: HostStats | null,
  { verbose, short }: { verbose: boolean; short: boolean },
): string {
  const drivers = Object.entries(node.Drivers ?? {})
    .filter(([, driver]) => driver.Detected)
    .map(([name, driver]) => (driver.Healthy ? name : `${name} (unhealthy)`))
    .sort()
    .join(',');
  const pairs: [string, string | number | boolean][] = [
    ['ID', node.ID],
    ['Name', node.Name],
    ['Node Pool', node.NodePool],
    ['Class', node.NodeClass],
    ['DC', node.Datacenter],
    ['Drain', node.DrainStrategy === null ? 'false' : drainText(node)],
    ['Eligibility', node.SchedulingEligibility],
    ['Status', node.Status],
    ['CSI Controllers', Object.keys(node.CSIControllerPlugins ?? {}).join(',')],
    ['CSI Drivers', Object.keys(node.CSINodePlugins ?? {}).join(',')],
  ];
  if (stats !== null) pairs.push(['Uptime', uptime(stats.Uptime)]);
  if (verbose && !short) return formatPairs(pairs);
  pairs.push([
    'Host Volumes',
    Object.keys(node.HostVolumes ?? {})
      .sort()
      .join(','),
  ]);
  pairs.push([
    'Host Networks',
    Object.keys(node.HostNetworks ?? {})
      .sort()
      .join(','),
  ]);
  pairs.push(['CSI Volumes', '']);
  pairs.push([short ? 'Drivers' : 'Driver Status', drivers]);
  return formatPairs(pairs);
}

function drainText(node: Node): string {
  const deadline = node.DrainStrategy?.ForceDeadline;
  return deadline == null || deadline.startsWith('0001-')
    ? 'true; no deadline'
    : `true; ${formatTime(deadline)} deadline`;
}

function uptime(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`;
}

function driverTable(node: Node): string {
  const rows = sortedEntries(node.Drivers).map(([name, driver]) => [
    name,
    driver.Detected,
    driver.Healthy,
    driver.HealthDescription,
    formatTime(driver.UpdateTime),
  ]);
  return formatTable([['Driver', 'Detected', 'Healthy', 'Message', 'Time'], ...rows]);
}

function eventTable(node: Node, verbose: boolean): string {
  const rows = [...(node.Events ?? [])].reverse().map((event) => {
    const subsystem = event.Details?.['driver'] === undefined ? event.Subsystem : `Driver: ${event.Details['driver']}`;
    const details = sortedEntries(event.Details)
      .map(([key, value]) => `${key} = ${value}`)
      .join(', ');
    return [formatTime(event.Timestamp), subsystem, event.Message, ...(verbose ? [details] : [])];
  });
  return formatTable([['Time', 'Subsystem', 'Message', ...(verbose ? ['Details'] : [])], ...rows]);
}

const mib = 1024 * 1024;

function live(allocations: readonly Allocation[]): Allocation[] {
  return allocations.filter((row) => row.ClientStatus === 'running' || row.ClientStatus === 'pending');
}

function allocatedTable(node: Node, allocations: readonly Allocation[]): string {
  const total = { cpu: 0, memory: 0, disk: 0 };
  const rows = live(allocations);
  for (const { AllocatedResources: resources } of rows) {
    for (const task of Object.values(resources?.Tasks ?? {})) {
      total.cpu += task.Cpu.CpuShares;
      total.memory += task.Memory.MemoryMB * mib;
    }
    total.disk += (resources?.Shared.DiskMB ?? 0) * mib;
  }
  const { cpu, memory, disk } = capacity(node);
  return formatTable([
    ['CPU', 'Memory', 'Disk', 'Alloc Count'],
    [
      `${total.cpu}/${cpu} MHz`,
      `${formatBytes(total.memory)}/${formatBytes(memory)}`,
      `${formatBytes(total.disk)}/${formatBytes(disk)}`,
      rows.length,
    ],
  ]);
}

function capacity(node: Node): { cpu: number; memory: number; disk: number } {
  const reserved = node.ReservedResources;
  return {
    cpu: (node.NodeResources?.Cpu.CpuShares ?? 0) - (reserved?.Cpu.CpuShares ?? 0),
    memory: ((node.NodeResources?.Memory.MemoryMB ?? 0) - (reserved?.Memory.MemoryMB ?? 0)) * mib,
    disk: ((node.NodeResources?.Disk.DiskMB ?? 0) - (reserved?.Disk.DiskMB ?? 0)) * mib,
  };
}

async function utilization(client: DroverClient, node: Node, allocations: readonly Allocation[]): Promise<string> {
  const running = allocations.filter((row) => row.ClientStatus === 'running');
  const stats = await Promise.all(
    running.map((row) =>
      client.allocations.stats(row.ID).then(
        (read) => read.value,
        () => null,
      ),
    ),
  );
  let cpu = 0;
  let memory = 0;
  for (const usage of stats) {
    cpu += usage?.ResourceUsage?.CpuStats?.TotalTicks ?? 0;
    memory += usage?.ResourceUsage?.MemoryStats?.RSS ?? 0;
  }
  const whole = capacity(node);
  return formatTable([
    ['CPU', 'Memory'],
    [`${Math.floor(cpu)}/${whole.cpu} MHz`, `${formatBytes(memory)}/${formatBytes(whole.memory)}`],
  ]);
}

function hostTable(node: Node, stats: HostStats): string {
  const disk = stats.AllocDirStats;
  return formatTable([
    ['CPU', 'Memory', 'Disk'],
    [
      `${Math.floor(stats.CPUTicksConsumed)}/${capacity(node).cpu} MHz`,
      `${formatBytes(stats.Memory?.Used ?? 0)}/${formatBytes(stats.Memory?.Total ?? 0)}`,
      disk === null ? '' : `${formatBytes(disk.Used)}/${formatBytes(disk.Size)}`,
    ],
  ]);
}

function cpuStats(stats: HostStats): string {
  return (stats.CPU ?? [])
    .map((cpu) =>
      formatPairs([
        ['CPU', cpu.CPU],
        ['User', `${cpu.User.toFixed(2)}%`],
        ['System', `${cpu.System.toFixed(2)}%`],
        ['Idle', `${cpu.Idle.toFixed(2)}%`],
      ]),
    )
    .join('\n\n');
}

function allocationRows(allocations: readonly Allocation[], verbose: boolean): string {
  if (allocations.length === 0) return 'No allocations placed';
  const time = verbose ? formatTime : formatAgo;
  const rows = [...allocations]
    .sort((a, b) => b.CreateIndex - a.CreateIndex)
    .map((row) => [
      formatId(row.ID, verbose),
      ...(verbose ? [row.EvalID] : [formatId(row.NodeID, verbose)]),
      ...[
        row.TaskGroup,
        row.Job?.Version ?? 0,
        row.DesiredStatus,
        row.ClientStatus,
        time(row.CreateTime),
        time(row.ModifyTime),
      ],
    ]);
  return formatTable([
    ['ID', verbose ? 'Eval ID' : 'Node ID', 'Task Group', 'Version', 'Desired', 'Status', 'Created', 'Modified'],
    ...rows,
  ]);
}
