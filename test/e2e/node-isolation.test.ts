/** `node status -verbose`: its section on isolation says what the node's drivers and probes said, of agents that can much and little. */
import { afterEach, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { nodeReady } from './jobs.ts';

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
