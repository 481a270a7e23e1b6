// What a node says of isolation (`node status -verbose`), and what it demands of all its tasks (`client { isolation { … } }`).
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { allocationsOf, nodeReady, shellJob } from './jobs.ts';

const root = process.getuid?.() === 0;
const ordinary = 61_236;
let agent: AgentProcess | undefined;
afterEach(() => agent?.dispose());

/** `"reachable = verified"` → name and value; of the lines between the heading and the next section. */
function sectionOf(text: string): { readonly drivers: readonly string[][]; readonly mechanisms: readonly string[][] } {
  const [, section = ''] = /^Isolation\n([\s\S]*?)\n\nNode Events\n/m.exec(text) ?? [];
  const [table = '', pairs = ''] = section.split('\n\nMechanisms:\n');
  const cells = (row: string): string[] => row.split(/\s{2,}/).map((cell) => cell.trim());
  return {
    drivers: table.split('\n').slice(1).map(cells),
    mechanisms: pairs.split('\n').map((row) => [...(/^(\S+)\s+= (.*)$/.exec(row)?.slice(1) ?? [row])]),
  };
}

it.each([
  { user: undefined, name: 'the user of this test' },
  ...(root ? [{ user: ordinary, name: 'an ordinary user' }] : []),
])(
  'tells of an agent of $name what each driver gives and which mechanisms were found',
  { timeout: 240_000 },
  async ({ user }) => {
    agent = await startAgent(user === undefined ? {} : { user });
    const running = agent;
    const node = await nodeReady(running);
    const attributes = await eventually(async () => {
      const { Attributes } = (await running.client.nodes.read(node.ID)).value;
      for (const driver of ['exec', 'raw_exec']) expect(Attributes).toHaveProperty([`driver.${driver}.isolation`]);
      return Attributes!;
    });
    const { stdout, code } = await runCli(running, ['node', 'status', '-self', '-verbose']);
    expect(code).toBe(0);
    const { drivers, mechanisms } = sectionOf(stdout);
    const given = (name: string): readonly (string | undefined)[] =>
      ['', '.host_network'].map((each) => attributes[`driver.${name}.isolation${each}`]);
    for (const name of ['exec', 'raw_exec'])
      expect(drivers.find(([driver]) => driver === name)?.slice(1, 3)).toEqual(given(name));
    const probed = Object.entries(attributes).filter(([name]) => name.startsWith('isolation.'));
    expect(Object.fromEntries(mechanisms)).toEqual(
      Object.fromEntries(probed.map(([name, value]) => [name.slice('isolation.'.length), value])),
    );
    expect(probed.length).toBeGreaterThan(30);
    // without -verbose it is left out
    expect((await runCli(running, ['node', 'status', '-self'])).stdout).not.toMatch(/^Isolation$/m);
  },
);

const said = /the node demands of task "t" "vm", raw_exec gives "\w+" here; missing: [\w, ]*second_kernel/;
const file = join(tmpdir(), `drover-floor-${process.pid}.nomad.json`);

it('whose floor no driver of its keeps takes no job: plan, evaluation and explain say why, and so does the client of what was there before', async () => {
  agent = await startAgent({});
  const job = (id: string) => shellJob(id, 'exec sleep 600', { attempts: 3 });
  await nodeReady(agent);
  await agent.client.jobs.register(job('before'));
  const [before] = await allocationsOf(agent, 'before', 'running');
  await agent.interrupt();
  const { directory } = agent;
  // the same node, whose operator demands more of it from now on
  agent.client.close();
  agent = await startAgent({ directory, config: { client: { isolation: { min: 'vm' } } } });
  const node = await nodeReady(agent);
  const { Attributes } = (await agent.client.nodes.read(node.ID)).value;
  expect(Attributes).toMatchObject({ 'client.isolation.min': 'vm' });

  writeFileSync(file, JSON.stringify({ Job: job('after') }));
  try {
    const planned = await runCli(agent, ['job', 'plan', '-json', file]);
    expect(planned.stdout).toMatch(said);
    const explained = await runCli(agent, ['explain', file]);
    expect(explained.stdout).toMatch(said);
    expect(explained.stdout).toMatch(/✗ \w+ \(floor vm\)/);
  } finally {
    rmSync(file);
  }
  const { value } = await agent.client.jobs.register(job('after'));
  const running = agent;
  const evaluation = await eventually(async () => {
    const { value: row } = await running.client.evaluations.read(value.EvalID);
    expect(row.Status).toBe('complete');
    return row;
  });
  expect(Object.keys(evaluation.FailedTGAllocs?.['g']?.ConstraintFiltered ?? {})).toEqual([
    expect.stringMatching(said),
  ]);

  // what ran before runs on, and is not started again
  expect((await agent.client.allocations.read(before!.ID)).value.ClientStatus).toBe('running');
  await agent.client.allocations.restart(before!.ID, {});
  await allocationsOf(agent, 'before', 'failed');
  const { stdout } = await runCli(agent, ['alloc', 'status', before!.ID]);
  expect(stdout).toMatch(/Driver Failure +isolation floor "vm" is not reached: the task would run at "process"/);
}, 240_000);

it('whose floor a driver of its keeps runs its jobs at it, and says so', async () => {
  agent = await startAgent({ config: { client: { isolation: { min: 'process' } } } });
  await nodeReady(agent);
  await agent.client.jobs.register(shellJob('kept', 'exec sleep 600', { driver: 'exec' }));
  const [row] = await allocationsOf(agent, 'kept', 'running');
  const { stdout } = await runCli(agent, ['alloc', 'status', row!.ID]);
  expect(stdout).toMatch(/^Floor += process$/m);
  expect(stdout).toMatch(/^Rung += (process|sandbox|container) by /m);
}, 240_000);
