/**
 * Run inside the guest, on a disk of its own that keeps to quotas of projects: an agent, a job of `exec` that wants every limit, and what
 * becomes of it when somebody else changes one. Writes a line of JSON to the file it is given.
 *
 *     node agent.mjs PROGRAM DIRECTORY FILE
 */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IsolationReport } from '../../src/model/isolation-report.ts';
import type { NodePlacement } from '../../src/model/job-explanation.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { nodeReady, output, shellJob } from '../e2e/jobs.ts';

const [program = '', directory = '', file = ''] = process.argv.slice(2);
const minutesMs = 8 * 60_000;
/** On the console, for whoever looks why it takes so long. */
const say = (what: string): void => console.info(`${Math.round(performance.now() / 1000)} s: ${what}`);
/** Asked for now and then: who asks all the time gets all the processor of an emulated machine. */
const until = <T>(look: () => Promise<T>): Promise<T> => eventually(look, minutesMs, 500);

/** What the test judges. */
export interface AgentSight {
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: Readonly<Record<'bridged' | 'alone', GroupSight>>;
  /** Of `bridged`, asked for at its address of the host. */
  readonly answer: string;
  /** `bridged`, whose policy is to be told, once its limit was raised. */
  readonly warned: { readonly events: readonly string[]; readonly state: string; readonly report: IsolationReport };
  /** `alone`, whose policy is to be stopped. */
  readonly stopped: { readonly events: readonly string[]; readonly state: string; readonly failed: boolean };
  /** What would be refused of `bridged`, which has a weight, where no disk heeds one any more. */
  readonly unweighed: readonly string[];
}

export interface GroupSight {
  readonly foretold: NodePlacement;
  readonly report: IsolationReport;
  /** Of its control group. */
  readonly limits: Readonly<Record<string, string>>;
  /** What the task saw itself. */
  readonly output: string;
}

const shared = `echo written $(head -c 12000000 /dev/zero 2>/dev/null | cat >"$NOMAD_ALLOC_DIR/data/f"; stat -c %s "$NOMAD_ALLOC_DIR/data/f"; rm "$NOMAD_ALLOC_DIR/data/f")
echo processors $(nproc) devices $(sed -n 's/:.*//p' /proc/net/dev)`;

function jobOf() {
  const never = { ReschedulePolicy: { Attempts: 0, Unlimited: false } };
  const task = (onDegrade: string, resources: object, config: object, script: string) => ({
    Name: 't',
    Driver: 'exec',
    KillTimeout: 1e9,
    Isolation: { OnDegrade: onDegrade },
    Config: { command: '/bin/sh', args: ['-c', `${shared}; echo ready; ${script}`], ...config },
    Resources: resources,
    LogConfig: { MaxFiles: 2, MaxFileSizeMB: 1 },
  });
  const serve = 'echo served >/local/index.html; exec busybox httpd -f -p 8080 -h /local';
  const job = shellJob('limited', '', { attempts: 0 }) as unknown as { TaskGroups: object[] };
  const [group] = job.TaskGroups;
  job.TaskGroups = [
    {
      ...group,
      ...never,
      Name: 'bridged',
      EphemeralDisk: { SizeMB: 10 },
      Networks: [{ Mode: 'bridge', DynamicPorts: [{ Label: 'web', To: 8080 }] }],
      Tasks: [task('warn', { CPU: 200, MemoryMB: 48 }, { cpu_hard_limit: true, io_weight: 200 }, serve)],
    },
    {
      ...group,
      ...never,
      Name: 'alone',
      EphemeralDisk: { SizeMB: 10 },
      Networks: [{ Mode: 'none' }],
      Tasks: [task('stop', { Cores: 1, MemoryMB: 64 }, {}, 'exec sleep 3000')],
    },
  ];
  return job as unknown as ReturnType<typeof shellJob>;
}

/** The control group of the allocation's task. */
function groupOf(allocation: string): string {
  const parent = '/sys/fs/cgroup/drover.slice';
  return join(parent, readdirSync(parent).find((name) => name.startsWith(`${allocation}.t`))!);
}

const limits = [
  'memory.max',
  'memory.swap.max',
  'pids.max',
  'cpu.weight',
  'cpu.max',
  'cpuset.cpus.effective',
  'io.bfq.weight',
];

async function look(agent: AgentProcess, foretold: NodePlacement, allocation: string): Promise<GroupSight> {
  const written = await until(async () => {
    const text = await output(agent, allocation);
    if (!text.includes('ready')) throw new Error(`${allocation} has written ${text}`);
    return text;
  });
  const { value: reports } = await agent.client.allocations.isolation(allocation);
  const group = groupOf(allocation);
  const read = (name: string): [string, string] => [name, readFileSync(join(group, name), 'utf8').trim()];
  return { foretold, report: reports['t']!, limits: Object.fromEntries(limits.map(read)), output: written };
}

async function stateOf({ client }: AgentProcess, allocation: string) {
  const { Events, State, Failed } = (await client.allocations.read(allocation)).value.TaskStates!['t']!;
  const events = (Events ?? []).map(({ Type, DisplayMessage }) => `${Type}: ${DisplayMessage}`);
  return { events, state: State, failed: Failed };
}

/** Somebody else's hand; what comes of it is waited for. */
async function changed(agent: AgentProcess, allocation: string, limit: string, value: string, ended: boolean) {
  writeFileSync(join(groupOf(allocation), limit), value);
  return until(async () => {
    const now = await stateOf(agent, allocation);
    const told = now.events.some((event) => event.startsWith('Isolation Degraded'));
    if (!told || (ended && now.state !== 'dead')) throw new Error(JSON.stringify(now));
    return now;
  });
}

say('starts');
const agent = await startAgent({
  directory,
  program,
  port: 4646,
  readyWithinMs: minutesMs,
  // with everything emulated each driver that looks around takes its time
  config: { client: { options: { 'driver.allowlist': 'exec' }, isolation: { recheck_interval: '2s' } } },
});
const { client } = agent;
const node = await nodeReady(agent, 'node1', 'ready', minutesMs);
say('the agent is ready');
const attributes = await until(async () => {
  const { Attributes } = (await client.nodes.read(node.ID)).value;
  if (Attributes?.['driver.exec.isolation'] === undefined) throw new Error('exec has not told what it gives');
  return Attributes;
});
say(`exec gives ${attributes['driver.exec.isolation']}`);
const job = jobOf();
const foretold = (await client.jobs.explainFile(job)).value.Groups;
await client.jobs.register(job);
const rows = await until(async () => {
  const { value } = await client.jobs.allocations('limited');
  const running = value.filter(({ ClientStatus }) => ClientStatus === 'running');
  if (running.length < 2) throw new Error(JSON.stringify(value.map(({ TaskStates }) => TaskStates)).slice(0, 3000));
  return running;
});
say('both run');
const idOf = (group: string): string => rows.find(({ TaskGroup }) => TaskGroup === group)!.ID;
const [bridged, alone] = [idOf('bridged'), idOf('alone')];
const placementOf = (group: string): NodePlacement => foretold.find(({ Name }) => Name === group)!.Nodes[0]!;
const groups = {
  bridged: await look(agent, placementOf('bridged'), bridged),
  alone: await look(agent, placementOf('alone'), alone),
};
const { value: whole } = await client.allocations.read(bridged);
const [port] = whole.AllocatedResources!.Shared.Ports!;
const answer = await until(async () => (await fetch(`http://${port!.HostIP}:${port!.Value}/`)).text());
say(`the port answers ${answer.trim()}`);
const warned = await changed(agent, bridged, 'cpu.max', 'max 100000', false);
const report = (await client.allocations.isolation(bridged)).value['t']!;
say('one was told');
const stopped = await changed(agent, alone, 'memory.max', 'max', true);
say('one was stopped');
writeFileSync('/sys/block/vda/queue/scheduler', 'none');
const again = (await client.jobs.explainFile(job)).value.Groups;
const unweighed = again.find(({ Name }) => Name === 'bridged')!.Nodes[0]!.Tasks.flatMap(({ Refusals }) => Refusals);
const sight: AgentSight = { attributes, groups, answer, warned: { ...warned, report }, stopped, unweighed };
appendFileSync(file, `${JSON.stringify(sight)}\n`);
await agent.interrupt();
