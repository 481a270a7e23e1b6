/**
 * Kills of agents, shims, tasks and helpers at random moments; after each the invariants are checked. The faults follow from a seed that is
 * printed: DROVER_SEED=… repeats them. DROVER_LONG=1: 240 instead of 26.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lib/seeded-random.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { allocationsOf, nodeReady, shellJob } from '../e2e/jobs.ts';
import { cgroupsBelow, endLeftovers, type Instance, instances, shimsOf, statusOf, taskOfShim } from '../processes.ts';
import { Invariants, ledgerScript } from './invariants.ts';

const isRoot = process.getuid?.() === 0;
const seed = Number(process.env['DROVER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const long = process.env['DROVER_LONG'] === '1';
const count = Number(process.env['DROVER_FAULTS'] ?? (long ? 240 : 26));
const cgroupParent = `drover-faults-${process.pid}`;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(process.platform !== 'linux')(`under ${count} random kills (DROVER_SEED=${seed})`, () => {
  const random = seededRandom(seed);
  const invariants = new Invariants(cgroupParent);
  const residents = isRoot ? ['resident-raw', 'resident-exec'] : ['resident-raw'];
  let agent: AgentProcess;
  let fresh = 0;

  beforeAll(async () => {
    console.log(`DROVER_SEED=${seed}`);
    agent = await startAgent({
      config: { client: { enabled: true, cgroup_parent: cgroupParent, gc_max_allocs: 500 } },
    });
    await nodeReady(agent);
    for (const id of residents) {
      const driver = id === 'resident-exec' ? 'exec' : 'raw_exec';
      await agent.client.jobs.register(shellJob(id, ledgerScript, { count: 2, attempts: 10_000, driver }));
      invariants.acknowledge(id);
      await allocationsOf(agent, id, 'running', 2);
    }
    invariants.startInnocents();
    // the checks see what they are about
    expect(residentTasks()).toHaveLength(residents.length * 2);
    expect(shimsOf(agent.directory)).toHaveLength(residents.length * 2);
    if (isRoot)
      expect(cgroupsBelow(cgroupParent).some((path) => path.includes(residentTasks()[0]!.allocId))).toBe(true);
  });
  afterAll(async () => {
    invariants.endInnocents();
    await agent.dispose();
    await endLeftovers(agent.directory, cgroupParent);
  });

  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const restart = async (): Promise<void> => {
    agent = await agent.restart();
    await nodeReady(agent);
  };
  /** Kills the agent some time after a request was sent, answered or not; true if it was acknowledged. */
  const killDuring = async (request: () => Promise<unknown>, withinMs: number): Promise<boolean> => {
    let acknowledged = false;
    const asked = request().then(
      () => (acknowledged = true),
      () => undefined,
    );
    await sleep(random() * withinMs);
    await agent.crash();
    await asked;
    return acknowledged;
  };
  // other agents may run on this host: only what has a directory here is ours to kill
  const residentTasks = (): readonly Instance[] =>
    instances().filter((one) => one.task === 't' && existsSync(join(agent.directory, 'data/alloc', one.allocId)));
  const allocations = async () => (await agent.client.allocations.list({ query: { task_states: true } })).value;

  /** A new job, killed into at its start; then, killed into again, its stop. */
  async function startAndStop(): Promise<void> {
    const id = `fresh-${fresh++}`;
    const driver = isRoot && random() < 0.4 ? 'exec' : 'raw_exec';
    const job = shellJob(id, ledgerScript, { attempts: 100, driver });
    if (await killDuring(() => agent.client.jobs.register(job), 400)) invariants.acknowledge(id);
    await restart();
    const there = (await agent.client.jobs.list()).value.some((row) => row.ID === id);
    if (!there) await agent.client.jobs.register(job);
    invariants.acknowledge(id);
    const [row] = await allocationsOf(agent, id, 'running');
    await eventually(() => expect(instances().filter((one) => one.allocId === row!.ID)).toHaveLength(1), 5_000);
    await killDuring(() => agent.client.jobs.deregister(id, { purge: false }), 300);
    await restart();
    await agent.client.jobs.deregister(id, { purge: true });
    invariants.forget(id);
    await eventually(async () => {
      const found = (await allocations()).find((other) => other.ID === row!.ID);
      if (found !== undefined && found.ClientStatus !== 'complete') throw new Error(`${id} is ${found.ClientStatus}`);
    });
    await agent.client.agent.collectGarbage();
    await eventually(() => invariants.nothingLeft(agent, row!.ID), 5_000);
  }

  /** What its shim had not stored yet when it was killed is lost with it: that start is exempt from invariant 5. */
  function killShim(): string {
    // one whose task was killed may end between two looks
    const living = shimsOf(agent.directory).flatMap((pid) => {
      const task = taskOfShim(pid, agent.directory);
      return task === undefined ? [] : [{ pid, allocId: task.split('.')[0]! }];
    });
    const { pid, allocId } = pick(living);
    invariants.exemptNewestStart(agent, allocId);
    process.kill(Number(pid), 'SIGKILL');
    return allocId;
  }
  const restartsOf = async (allocId: string): Promise<number> =>
    (await agent.client.allocations.read(allocId)).value.TaskStates?.['t']?.Restarts ?? 0;
  /** The end is unknown, and says why; the restart policy then starts the task again. */
  const endsUnknown = (allocId: string, restarts: number): Promise<void> =>
    eventually(async () => {
      const { value } = await agent.client.allocations.read(allocId);
      const { Restarts = 0, Events } = value.TaskStates?.['t'] ?? {};
      expect(Restarts).toBeGreaterThan(restarts);
      const end = Events?.filter((event) => event.Type === 'Terminated').at(-1);
      expect(end?.DisplayMessage).toBe('Exit unknown: shim-lost');
    }, 10_000);

  const faults: readonly { readonly name: string; readonly weight: number; run(): Promise<void> }[] = [
    {
      name: 'agent killed, tasks untouched',
      weight: 3,
      async run() {
        const before = residentTasks();
        await agent.crash();
        await sleep(random() * 300);
        await restart();
        const after = new Set(residentTasks().map((one) => `${one.pid} ${one.startTime}`));
        for (const one of before) expect(after, 'the same processes').toContain(`${one.pid} ${one.startTime}`);
      },
    },
    { name: 'agent killed during start and stop', weight: 5, run: startAndStop },
    {
      name: 'agent killed during a restart of tasks',
      weight: 3,
      async run() {
        const [row] = await allocationsOf(agent, pick(residents), 'running', 2);
        await killDuring(() => agent.client.allocations.restart(row!.ID), 300);
        await restart();
      },
    },
    {
      name: 'agent killed again and again while it starts',
      weight: 3,
      async run() {
        await agent.crash();
        for (let round = 0; round < 3; round++) {
          const starting = agent.restart().then(
            (next) => next.crash(),
            () => undefined,
          );
          await sleep(random() * 900);
          killAgentOf(agent.directory);
          await starting;
        }
        await restart();
      },
    },
    {
      name: 'agent asked to stop, then killed',
      weight: 2,
      async run() {
        void agent.interrupt();
        await sleep(random() * 100);
        await agent.crash();
        await restart();
      },
    },
    {
      name: 'task killed',
      weight: 3,
      async run() {
        process.kill(Number(pick(residentTasks()).pid), 'SIGKILL');
      },
    },
    {
      name: 'task killed while no agent runs',
      weight: 3,
      async run() {
        await agent.crash();
        const victim = pick(residentTasks());
        process.kill(Number(victim.pid), 'SIGKILL');
        await sleep(random() * 300);
        await restart();
        await eventually(async () => {
          const states = (await agent.client.allocations.read(victim.allocId)).value.TaskStates;
          const ends = states?.['t']?.Events?.filter((event) => event.Type === 'Terminated') ?? [];
          expect(ends.at(-1)).toMatchObject({ ExitCode: 137, Signal: 9 });
        });
      },
    },
    {
      name: 'shim killed',
      weight: isRoot ? 3 : 0,
      async run() {
        const all = await Promise.all(
          residentTasks().map(async ({ allocId }) => [allocId, await restartsOf(allocId)] as const),
        );
        const allocId = killShim();
        await endsUnknown(allocId, new Map(all).get(allocId)!);
      },
    },
    {
      name: 'shim killed while no agent runs',
      weight: isRoot ? 2 : 0,
      async run() {
        const all = await Promise.all(
          residentTasks().map(async ({ allocId }) => [allocId, await restartsOf(allocId)] as const),
        );
        await agent.crash();
        const allocId = killShim();
        await sleep(random() * 200);
        await restart();
        await endsUnknown(allocId, new Map(all).get(allocId)!);
      },
    },
    {
      name: 'all at once',
      weight: isRoot ? 1 : 0,
      async run() {
        process.kill(Number(pick(residentTasks()).pid), 'SIGKILL');
        killShim();
        await agent.crash();
        await restart();
      },
    },
  ];

  /** Each as often as its weight says. */
  const bag = faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));

  async function check(): Promise<void> {
    await invariants.oneInstance(agent);
    const probe = `probe-${fresh++}`;
    await agent.client.jobs.register(shellJob(probe, 'exit 0', { type: 'batch' }));
    const [probed] = await allocationsOf(agent, probe, 'complete', 1, 5_000); // 8
    await agent.client.jobs.deregister(probe, { purge: true });
    for (const id of residents) {
      const rows = await allocationsOf(agent, id, 'running', 2, 10_000);
      for (const { ID } of rows) {
        await eventually(() => expect(instances().filter((one) => one.allocId === ID)).toHaveLength(1), 5_000);
        // the shim stores a line some time after the task has written it
        await eventually(() => invariants.logsComplete(agent, ID), 2_000);
      }
    }
    await invariants.oneInstance(agent);
    const rows = await allocations();
    invariants.truthfulEnds(rows);
    invariants.statesGoForward(rows);
    invariants.innocentsUntouched();
    await invariants.acknowledgedIsThere(agent);
    await agent.client.agent.collectGarbage();
    await eventually(() => invariants.nothingLeft(agent, probed!.ID), 10_000);
    invariants.backToBaseline(agent);
  }

  for (let number = 1; number <= count; number++) {
    const fault = pick(bag);
    it(`${number}. ${fault.name}`, async () => {
      await fault.run();
      await check();
    });
  }

  it('leaves nothing behind when all is stopped', async () => {
    const rows = await allocations();
    for (const id of residents) await agent.client.jobs.deregister(id, { purge: true });
    const ours = new Set(rows.map((row) => row.ID));
    await eventually(() => expect(instances().filter((one) => ours.has(one.allocId))).toEqual([]), 15_000);
    await eventually(async () => {
      await agent.client.agent.collectGarbage();
      for (const row of rows) invariants.nothingLeft(agent, row.ID);
      expect(shimsOf(agent.directory)).toEqual([]);
    }, 15_000);
  });
});

/** Agents are known by the configuration file on their command line. */
function killAgentOf(directory: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.includes('drover.js') && command.includes(directory) && statusOf(pid)?.state !== 'Z')
        process.kill(Number(pid), 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
}
