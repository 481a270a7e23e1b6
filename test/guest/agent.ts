/**
 * Run inside the guest, on a disk of its own: a real agent, whose jobs write more than their disk may hold and have networks of their own. Writes a
 * line of JSON to the file it is given.
 *
 *     node agent.mjs DIRECTORY FILE      DIRECTORY: where the disk is mounted
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskAdvice } from '../../src/agent/examine-host.ts';
import type { JobExplanation } from '../../src/api-client/index.ts';
import type { IsolationReport } from '../../src/driver/contract.ts';
import { diskQuotaProbe } from '../../src/isolation/disk-quota.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { output, shellJob } from '../e2e/jobs.ts';

const [directory = '', file = ''] = process.argv.slice(2);
const minutesMs = 8 * 60_000;
const root = process.cwd();
const verifier = join(root, 'build/native/drover-verify');
const data = join(directory, 'agent/data');
/** On the console, for whoever looks why it takes so long. */
const say = (what: string): void => console.info(`agent: ${Math.round(performance.now() / 1000)} s: ${what}`);

/** What the test judges. */
export interface AgentSight {
  /** Of the disk as it was made: what the probe says of it, what the doctor advises, and what the probe says once that was done. */
  readonly remedy: { readonly evidence: string; readonly command: string; readonly after: string };
  /** What the owner of files in a bound directory can do where nothing protects. */
  readonly control: string;
  /** Attributes of the node. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly reports: Readonly<Record<string, IsolationReport>>;
  readonly explained: Readonly<Record<string, JobExplanation>>;
  /** What tasks said of each round of filling their disk: bytes that went in, and what the file system answered. */
  readonly rounds: Readonly<Record<'before' | 'after', readonly string[]>>;
  readonly logs: Readonly<Record<string, string>>;
  /** What the native program says of the first allocation's project: while its files are there, and when they are gone. */
  readonly project: Readonly<Record<'held' | 'free', string>>;
  /** Projects that are claimed: while both run, and after the first was removed. */
  readonly claims: Readonly<Record<'running' | 'removed', readonly string[]>>;
}

/** Fills its disk again and again, and after the first time tries to get out of its project, whose files nobody would count. */
const filling = `cd $NOMAD_TASK_DIR
mkdir own; chattr -p 0 own 2>/dev/null && echo out of its project; chattr -P own 2>/dev/null && echo out of its project
while :; do
  rm -f f own/f; head -c 20000000 /dev/zero 2>why >f || true; head -c 20000000 /dev/zero 2>/dev/null >own/f || true
  echo "round $(($(stat -c %s f) + $(stat -c %s own/f))) $(cat why)"; sleep 2
done`;
const writing = `cd $NOMAD_TASK_DIR; while sleep 1; do head -c 5000000 /dev/zero >f && echo wrote $(stat -c %s f); done`;

const isolation = { Min: 'sandbox', Require: ['disk_quota'] };
const jobs = {
  filler: shellJob('filler', filling, { driver: 'exec', task: { Isolation: isolation } }),
  bridged: shellJob('bridged', writing, {
    driver: 'exec',
    group: { Networks: [{ Mode: 'bridge' }], Isolation: { ...isolation, Min: 'container' } },
  }),
};

/** With everything emulated each driver that looks around takes its time. */
const config = { client: { options: { 'driver.allowlist': 'exec' }, gc_interval: '1s' } };

/** Asked for now and then: who asks all the time gets all the processor of an emulated machine. */
function until<T>(look: () => Promise<T> | T): Promise<T> {
  return eventually(look, minutesMs, 5000);
}

async function start(): Promise<AgentProcess> {
  mkdirSync(data, { recursive: true });
  const program = join(root, 'bin/drover.js');
  const running = await startAgent({
    directory: join(directory, 'agent'),
    program,
    port: 4646,
    readyWithinMs: minutesMs,
    config,
  });
  await until(async () => {
    const { value } = await running.client.nodes.list();
    if (value[0]?.Status !== 'ready') throw new Error('the node is not ready');
  });
  say('the agent is ready');
  return running;
}

async function running({ client }: AgentProcess, job: string): Promise<string> {
  return until(async () => {
    const { value } = await client.jobs.allocations(job);
    const found = value.find((row) => row.ClientStatus === 'running');
    if (found !== undefined) return found.ID;
    const { value: evaluations } = await client.jobs.evaluations(job);
    const why = JSON.stringify([value, evaluations.map(({ FailedTGAllocs }) => FailedTGAllocs)]).slice(0, 3000);
    say(why);
    throw new Error(`${job} does not run: ${why}`);
  });
}

async function rounds(agent: AgentProcess, id: string, count: number): Promise<readonly string[]> {
  return until(async () => {
    const found = (await output(agent, id)).split('\n').filter((line) => line !== '');
    if (found.filter((line) => line.startsWith('round')).length < count)
      throw new Error(`not yet: ${found.join('; ')}`);
    return found;
  });
}

const claims = (): readonly string[] => readdirSync(join(data, 'client/projects')).sort();

async function carriedOut(): Promise<AgentSight['remedy']> {
  const look = () => diskQuotaProbe(true, verifier, directory, 1_900_065_535);
  const found = await look();
  const [advice] = await diskAdvice(found, 0, directory);
  execFileSync('sh', ['-c', advice!.Command]);
  const { ok, evidence } = await look();
  return { evidence: found.evidence, command: advice!.Command, after: `${ok} ${evidence}` };
}

function unprotected(): string {
  const bound = join(directory, 'unprotected');
  mkdirSync(bound);
  chownSync(bound, 1234, 1234);
  execFileSync(verifier, ['quota', 'bound', bound, '1000', '1024', '16']);
  const script = `cd ${bound}; chattr -p 0 . && chattr -P . && head -c 2000000 /dev/zero >f; stat -c %s f`;
  return execFileSync('setpriv', ['--reuid=1234', '--clear-groups', 'sh', '-c', script], { encoding: 'utf8' }).trim();
}

const remedy = await carriedOut();
const control = unprotected();
say('the disk is as advised');
let agent = await start();
const { value: nodes } = await agent.client.nodes.list();
const { value: node } = await agent.client.nodes.read(nodes[0]!.ID);
const attributes = Object.fromEntries(
  Object.entries(node.Attributes ?? {}).filter(([name]) => /^(isolation|driver\.exec)/.test(name)),
);
say(JSON.stringify(attributes));
const explained: Record<string, JobExplanation> = {};
const ids: Record<string, string> = {};
const reports: Record<string, IsolationReport> = {};
for (const [name, job] of Object.entries(jobs)) {
  explained[name] = (await agent.client.jobs.explainFile(job)).value;
  await agent.client.jobs.register(job);
  ids[name] = await running(agent, name);
  say(`${name} runs`);
  reports[name] = (await agent.client.allocations.isolation(ids[name])).value['t']!;
}
const first = join(data, 'alloc', ids['filler']!);
const before = await rounds(agent, ids['filler']!, 2);
say('its disk is full');
await agent.interrupt();
agent = await start();
const after = (await rounds(agent, ids['filler']!, before.length + 2)).slice(before.length);
const logs = { bridged: await output(agent, ids['bridged']!) };

const claimed = claims();
const mine = claimed.find((id) => readFileSync(join(data, 'client/projects', id), 'utf8').includes(first))!;
const spare = join(data, 'spare');
mkdirSync(spare);
const ask = (): string =>
  execFileSync(verifier, ['quota', 'bound', spare, mine, '1024', '16'], { encoding: 'utf8' }).trim();
const held = ask();
await agent.client.jobs.deregister('filler', { purge: true });
await until(async () => {
  await agent.client.agent.collectGarbage();
  if (claims().includes(mine)) throw new Error('its project is claimed');
});
say('its files are gone');
const project = { held, free: ask() };
const sight: AgentSight = {
  ...{ remedy, control, attributes, reports, explained, rounds: { before, after }, logs, project },
  claims: { running: claimed, removed: claims() },
};
appendFileSync(file, `${JSON.stringify(sight)}\n`);
await agent.dispose();
say('it ended');
