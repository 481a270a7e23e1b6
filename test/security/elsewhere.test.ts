/**
 * An agent that takes itself to be on macOS: nothing of Linux is tried or promised, exec runs at the rung that is left, and what wants more is
 * refused. It is Linux all the same: that the program works on another kernel is not shown. Control: the same agent knows where it is.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { nodeReady, output, shellJob } from '../e2e/jobs.ts';
import { ordinaryUser } from './attack-program.ts';

const root = process.getuid?.() === 0;
const preload = join(import.meta.dirname, 'pretend-system.mjs');
const user = root ? { user: ordinaryUser } : {};

describe('an agent that is not on Linux', () => {
  let agent: AgentProcess;
  let attributes: Readonly<Record<string, string>>;

  beforeAll(async () => {
    agent = await startAgent({
      ...user,
      env: { NODE_OPTIONS: `--import ${preload}`, PRETEND: 'darwin' },
      config: { client: { options: { 'driver.allowlist': 'exec' } } },
    });
    const node = await nodeReady(agent);
    attributes = await eventually(async () => {
      const { Attributes } = (await agent.client.nodes.read(node.ID)).value;
      expect(Attributes).toHaveProperty(['driver.exec.isolation']);
      return Attributes!;
    });
  }, 150_000);
  afterAll(() => agent.dispose());

  it('promises nothing, and says why of each mechanism', () => {
    const said = Object.entries(attributes).filter(([name]) => name.startsWith('isolation.'));
    const known = said.filter(([, value]) => value !== 'not on this system');
    expect(known).toEqual([['isolation.reachable', 'verified']]);
    expect(said.length).toBeGreaterThan(30);
    expect(attributes).toMatchObject({ 'driver.exec.isolation': 'none', 'driver.exec.isolation.host_network': 'none' });
  });

  it('runs a task of exec at the rung that is left, and none that wants more', async () => {
    await agent.client.jobs.register(shellJob('free', 'echo in $HOME; exec sleep 600', { driver: 'exec' }));
    const floor = { Isolation: { Min: 'process' } };
    await agent.client.jobs.register(shellJob('floored', 'exec sleep 600', { driver: 'exec', task: floor }));
    const alloc = await eventually(async () => {
      const { value } = await agent.client.jobs.allocations('free');
      expect(value[0]?.ClientStatus).toBe('running');
      return value[0]!.ID;
    });
    expect((await agent.client.allocations.isolation(alloc)).value['t']).toMatchObject({ rung: 'none' });
    await eventually(async () => expect(await output(agent, alloc)).toMatch(/^in \/\S+\n$/));
    await eventually(async () => {
      const { value } = await agent.client.jobs.evaluations('floored');
      expect(value.map(({ Status }) => Status)).toContain('blocked');
    });
    const { stdout } = await runCli(agent, ['explain', 'floored']);
    expect(stdout).toMatch(/no .*none/);
  });

  it('the doctor names nothing of Linux to be done there but Linux', async () => {
    const env = { NODE_OPTIONS: `--import ${preload}`, PRETEND: 'win32' };
    const { stdout } = await runCli(null, ['doctor', '-json'], { env });
    const { Climbs, Beside } = JSON.parse(stdout) as {
      Climbs: { Remedies: { Command: string }[] }[];
      Beside: unknown[];
    };
    const commands = Climbs.flatMap(({ Remedies }) => Remedies.map(({ Command }) => Command));
    expect(new Set(commands)).toEqual(new Set(['run the agent on Linux, or in a virtual machine with it']));
    expect(Beside).toEqual([]);
  });
});

describe('(control) the same agent, where it is', () => {
  it('finds mechanisms of Linux', async () => {
    const { stdout } = await runCli(null, ['doctor', '-json']);
    const { Mechanisms } = JSON.parse(stdout) as { Mechanisms: { Ok: boolean; Evidence: string }[] };
    expect(Mechanisms.filter(({ Evidence }) => Evidence === 'not on this system')).toEqual([]);
    expect(Mechanisms.some(({ Ok }) => Ok)).toBe(true);
  });
});
