/**
 * An agent that takes itself to be on macOS: nothing of Linux is tried or promised, exec runs at the rung that is left, and what wants more is
 * refused. It is Linux all the same: that the program works on another kernel is not shown. Control: the same agent knows where it is.
 */
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileModule, lackingForModules } from '../../src/drivers/wasm/scratch-module.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady, output, shellJob } from '../e2e/jobs.ts';
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

  it('the doctor fits a terminal of 80 columns, paints nothing for a pipe, and ends well whatever it finds', async () => {
    const env = { NODE_OPTIONS: `--import ${preload}`, PRETEND: 'win32' };
    const { stdout, code } = await runCli(null, ['doctor'], { env });
    const [host = '', rungs = '', climb = ''] = stdout.split('\n\n');
    expect(rungs).toMatch(/^process +✗ +✗$/m);
    expect(climb).toMatch(/^process +run the agent on Linux, or in a virtual machine with it\n +because: \w/m);
    expect([host, rungs, climb].flatMap((part) => part.split('\n')).filter((line) => line.length > 80)).toEqual([]);
    expect(stdout).not.toContain('\u001b');
    expect(code).toBe(0);
  });
});

const withoutCompiler = lackingForModules.length > 0;

/** Both run tasks by the supervisor in TypeScript: the first takes itself to be on macOS, the second is where it is but without the native programs. */
describe.skipIf(withoutCompiler).each([
  ['an agent that is not on Linux', true],
  ['an agent on Linux for which nothing native was built', false],
])('modules of wasm, and raw_exec: %s', { timeout: 240_000 }, (_, elsewhere) => {
  let agent: AgentProcess;
  let modules: string;
  let without: string | null = null;

  beforeAll(async () => {
    modules = mkdtempSync(join(tmpdir(), 'drover-elsewhere-'));
    chmodSync(modules, 0o755);
    compileModule(join(import.meta.dirname, '../../src/drivers/wasm/program.c'), join(modules, 'program.wasm'));
    without = elsewhere ? null : copyWithoutNative();
    agent = await startAgent({
      ...user,
      ...(without === null ? {} : { program: join(without, 'bin/drover.js') }),
      env: elsewhere ? { NODE_OPTIONS: `--import ${preload}`, PRETEND: 'darwin' } : {},
      config: {
        client: { options: { 'driver.allowlist': 'exec,wasm,raw_exec' } },
        plugin: { raw_exec: { config: { enabled: true } }, wasm: { config: { module_paths: [modules] } } },
      },
    });
    await nodeReady(agent);
  }, 240_000);
  afterAll(async () => {
    await agent?.dispose();
    for (const path of [modules, without]) if (path) rmSync(path, { recursive: true, force: true });
  });

  /** Of the module's task, when it has ended. */
  async function run(name: string, args: readonly string[], config: object = {}, memoryMb = 32) {
    const task = {
      Config: { module: 'program.wasm', args, ...config },
      Resources: { CPU: 10, MemoryMB: memoryMb },
    };
    await agent.client.jobs.register(shellJob(name, '', { type: 'batch', driver: 'wasm', task }));
    return eventually(async () => {
      const { value } = await agent.client.jobs.allocations(name);
      const state = value[0]?.TaskStates?.['t'];
      expect(state?.State).toBe('dead');
      return { id: value[0]!.ID, events: JSON.stringify(state!.Events), said: await output(agent, value[0]!.ID) };
    });
  }

  it('a module runs at the rung that is left, and its report says so of every line', async () => {
    const { id, said } = await run('says', ['say', 'hello']);
    expect(said).toBe('hello\n');
    const { t: report } = (await agent.client.allocations.isolation(id)).value;
    expect(report).toMatchObject({ rung: 'none' });
    expect(report!.mechanisms.filter(({ state }) => state === 'verified')).toEqual([]);
    const { stdout } = await runCli(agent, ['alloc', 'status', id]);
    const why = elsewhere
      ? 'not on this system; fix: run the agent on Linux, or in a virtual machine with it'
      : 'the native supervisor is not built; fix: build the native supervisor';
    expect(stdout).toContain(`Missing  = native_shim — ${why}`);
  });

  it('it sees the directories that were named, and no other file', async () => {
    const dir = [{ path: 'local', guest: '/data' }];
    const readOnly = dir.map((each) => ({ ...each, read_only: true }));
    const { id, said } = await run('writes', ['write', '/data/file'], { dir });
    expect(said).toBe('write done\n');
    const file = join(agent.directory, 'data/alloc', id, 't/local/file');
    expect(readFileSync(file, 'utf8')).toBe('written');
    expect((await run('refused', ['write', '/data/file'], { dir: readOnly })).said).toBe(
      'write Read-only file system\n',
    );
    expect((await run('outside', ['read', '/data/../../../../../../etc/hostname'], { dir })).said).toMatch(/^read Cap/);
    expect((await run('blind', ['read', '/etc/hostname'])).said).toMatch(/^read /);
  });

  it('it has no more memory than its job says, and no more time', async () => {
    const { said } = await run('hoards', ['hoard'], {}, 48);
    expect(Number(/^(\d+) MB$/m.exec(said)?.[1])).toBeGreaterThan(40);
    expect(Number(/^(\d+) MB$/m.exec(said)?.[1])).toBeLessThan(48);
    const { events } = await run('spins', ['spin'], { timeout: '1s' });
    expect(events).toContain('the module ran longer than its timeout of 1 s');
    expect((await run('traps', ['trap'])).events).toContain('trap: unreachable');
  });

  it('a stop ends one that would go on for ever, with its own code', async () => {
    const task = { Config: { module: 'program.wasm', args: ['spin'] }, KillTimeout: 20e9 };
    await agent.client.jobs.register(shellJob('endless', '', { driver: 'wasm', task }));
    const [alloc] = await allocationsOf(agent, 'endless', 'running');
    await eventually(async () => expect(await output(agent, alloc!.ID)).toContain('spinning'));
    await agent.client.jobs.deregister('endless');
    await eventually(async () => {
      const { value } = await agent.client.jobs.allocations('endless');
      expect(value[0]?.TaskStates?.['t']).toMatchObject({ State: 'dead' });
      expect(JSON.stringify(value[0]!.TaskStates!['t']!.Events)).toContain('Exit Code: 130');
    });
  });

  it('raw_exec runs programs: output, exit codes, variables, a signal, a command beside it, and the end of all it began', async () => {
    const script = 'echo $NOMAD_TASK_NAME $COLOUR; trap "echo hup" HUP; sleep 601 & while :; do sleep 0.1; done';
    await agent.client.jobs.register(shellJob('raw', script, { task: { Env: { COLOUR: 'green' } } }));
    const [alloc] = await allocationsOf(agent, 'raw', 'running');
    const { ID } = alloc!;
    await eventually(async () => expect(await output(agent, ID)).toContain('t green\n'));
    await runCli(agent, ['alloc', 'signal', '-s', 'SIGHUP', ID]);
    await eventually(async () => expect(await output(agent, ID)).toContain('hup\n'));
    const beside = await runCli(agent, ['alloc', 'exec', ID, '/bin/sh', '-c', 'echo in; exit 4']);
    expect(beside).toMatchObject({ stdout: 'in\n', code: 4 });
    expect((await agent.client.allocations.isolation(ID)).value['t']).toMatchObject({ rung: 'none' });
    await agent.client.jobs.deregister('raw');
    await allocationsOf(agent, 'raw', 'complete');
    expect(pidsOf(`NOMAD_ALLOC_ID=${ID}`)).toEqual([]);
    await agent.client.jobs.register(shellJob('seven', 'exit 7', { type: 'batch' }));
    const [ended] = await allocationsOf(agent, 'seven', 'failed');
    expect(JSON.stringify(ended!.TaskStates)).toContain('Exit Code: 7');
  });
});

/** The program as a system without a compiler has it: nothing native, and nothing prebuilt. */
function copyWithoutNative(): string {
  const from = join(import.meta.dirname, '../..');
  const to = mkdtempSync(join(tmpdir(), 'drover-not-native-'));
  chmodSync(to, 0o755);
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(from, name), join(to, name), { recursive: true });
  symlinkSync(join(from, 'node_modules'), join(to, 'node_modules'));
  return to;
}

function pidsOf(mark: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

describe('(control) the same agent, where it is', () => {
  it('finds mechanisms of Linux', async () => {
    const { stdout } = await runCli(null, ['doctor', '-json']);
    const { Mechanisms } = JSON.parse(stdout) as { Mechanisms: { Ok: boolean; Evidence: string }[] };
    expect(Mechanisms.filter(({ Evidence }) => Evidence === 'not on this system')).toEqual([]);
    expect(Mechanisms.some(({ Ok }) => Ok)).toBe(true);
  });
});
