/**
 * Run inside the guest, on a disk that outlives it: an agent with jobs, until the power is cut; and the same agent after it. Writes a line
 * of JSON to the file it is given.
 *
 *     node reboot.mjs before|after PROGRAM DIRECTORY FILE
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { output, shellJob } from '../e2e/jobs.ts';
import { instances } from '../processes.ts';

const [phase, program, directory, file] = process.argv.slice(2) as ['before' | 'after', string, string, string];
const minutesMs = 8 * 60_000;
/** On the console, for whoever looks why it takes so long. */
const say = (what: string): void => console.info(`${phase}: ${Math.round(performance.now() / 1000)} s: ${what}`);

/** What is compared across the boots. */
export interface Sight {
  readonly index: number;
  readonly jobs: readonly string[];
  readonly allocations: Readonly<Record<string, AllocationSight>>;
  /** Lines that starts of each job left on the disk themselves. */
  readonly starts: Readonly<Record<string, number>>;
  /** Job → tasks of it that have processes. */
  readonly running: Readonly<Record<string, number>>;
  readonly logs: Readonly<Record<string, string>>;
  readonly evaluations: number;
  readonly bootId: string;
}

export interface AllocationSight {
  readonly id: string;
  readonly status: string;
  readonly restarts: number;
  readonly events: readonly string[];
}

const jobs = ['steady', 'once', 'unfinished'];
const counting = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done';

/** With everything emulated each driver that looks around takes its time. */
const config = { client: { options: { 'driver.allowlist': 'raw_exec' } } };

function agent(): Promise<AgentProcess> {
  mkdirSync(join(directory, 'data'), { recursive: true });
  return startAgent({ directory, program, port: 4646, readyWithinMs: minutesMs, config });
}

async function look({ client }: AgentProcess): Promise<Sight> {
  const list = await client.jobs.list();
  const each = async <T>(of: (job: string) => Promise<T>): Promise<Record<string, T>> =>
    Object.fromEntries(await Promise.all(jobs.map(async (job) => [job, await of(job)] as const)));
  const rows = (await client.allocations.list()).value;
  const rowOf = (job: string) => rows.find(({ JobID }) => JobID === job)!;
  return {
    index: list.index,
    jobs: list.value.map(({ ID }) => ID),
    allocations: await each(async (job) => {
      const { ID, ClientStatus, TaskStates } = rowOf(job);
      const { Restarts = 0, Events = [] } = TaskStates?.['t'] ?? {};
      return {
        id: ID,
        status: ClientStatus,
        restarts: Restarts,
        events: (Events ?? []).map(({ Type, DisplayMessage }) => `${Type}: ${DisplayMessage}`),
      };
    }),
    starts: await each(async (job) => lines(join(directory, 'starts', job))),
    running: await each(async (job) => instances().filter(({ allocId }) => allocId === rowOf(job).ID).length),
    logs: await each((job) => output({ client } as AgentProcess, rowOf(job).ID)),
    evaluations: (await client.evaluations.list()).value.length,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  };
}

/** Asked for now and then: who asks all the time gets all the processor of an emulated machine. */
function until<T>(look: () => Promise<T>): Promise<T> {
  return eventually(look, minutesMs, 2000);
}

function allocationOf({ client }: AgentProcess, job: string, status: string): Promise<string> {
  return until(async () => {
    const { value } = await client.jobs.allocations(job);
    const found = value.find((row) => row.ClientStatus === status);
    if (found === undefined) {
      const { value: evaluations } = await client.jobs.evaluations(job);
      const why = JSON.stringify([value, evaluations.map(({ FailedTGAllocs }) => FailedTGAllocs)]).slice(0, 2000);
      throw new Error(`${job} is not ${status}: ${why}`);
    }
    say(`${job} is ${status}`);
    return found.ID;
  });
}

async function ready({ client }: AgentProcess): Promise<void> {
  await until(async () => {
    const { value } = await client.nodes.list();
    if (value[0]?.Status !== 'ready') throw new Error('the node is not ready');
  });
  say('the agent is ready');
}

const lines = (path: string): number => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);

function tell(sight: Sight): void {
  appendFileSync(file, `${JSON.stringify(sight)}\n`);
}

async function before(): Promise<void> {
  const starts = join(directory, 'starts');
  mkdirSync(starts, { mode: 0o777, recursive: true });
  const noted = (job: string, rest: string): string => `echo start >>${join(starts, job)}; sync; ${rest}`;
  const running = await agent();
  await ready(running);
  const { client } = running;
  await client.jobs.register(shellJob('steady', noted('steady', counting), { attempts: 3 }));
  await client.jobs.register(shellJob('once', noted('once', 'echo all of it'), { type: 'batch' }));
  const never = { ReschedulePolicy: { Attempts: 0, Unlimited: false } };
  await client.jobs.register(
    shellJob('unfinished', noted('unfinished', counting), { type: 'batch', attempts: 0, group: never }),
  );
  await allocationOf(running, 'once', 'complete');
  for (const job of ['steady', 'unfinished']) await allocationOf(running, job, 'running');
  await until(async () => {
    const { logs } = await look(running);
    if (!['steady', 'unfinished'].every((job) => logs[job]?.includes('line 3\n'))) throw new Error('no line 3');
  });
  // a task's last lines reach the disk when the kernel thinks so: up to half a minute later
  execFileSync('sync');
  tell(await look(running));
  say('every job runs');
  // the last that was acknowledged: the power goes before anything else is done
  await client.jobs.register(shellJob('acknowledged', 'sleep 600'));
  appendFileSync(file, 'cut\n');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

async function after(): Promise<void> {
  const running = await agent();
  await ready(running);
  for (const job of ['steady', 'acknowledged']) await allocationOf(running, job, 'running');
  await allocationOf(running, 'unfinished', 'failed');
  await until(async () => {
    const { starts } = await look(running);
    if (starts['steady'] !== 2) throw new Error(`steady was started ${starts['steady']} times`);
  });
  tell(await look(running));
  await running.interrupt();
}

await (phase === 'before' ? before() : after());
