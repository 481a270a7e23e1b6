import { mkdir, readdir, readFile, realpath, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import type { CommandState } from '../../driver-kit/command-state.ts';
import { commandSuite } from '../../driver-kit/command-suite.ts';
import { conformanceCases } from '../../driver-kit/conformance.ts';
import { type DriverDeps, type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import type { Scratch } from '../../driver-kit/scratch-task.ts';
import { sweepStarts } from '../../driver-kit/sweep.ts';
import { Fault } from '../../lib/fault.ts';
import { createSupervisor } from '../../supervise/supervisor.ts';
import { rawExec } from './index.ts';

const never = new AbortController().signal;
const asRoot = process.getuid?.() === 0;
let host: ScratchHost;
let scratch: Scratch;
let deps: DriverDeps;
let driver: OpenDriver;
let engine: EngineDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  ({ scratch, deps } = host);
  driver = openDriver(rawExec, { enabled: true }, deps);
  engine = driver.engine;
});

afterAll(async () => {
  await engine.close();
  const left = await host.leftGroups();
  await host.close();
  expect(left).toEqual([]);
});

const task = (config: Record<string, unknown>, more?: Partial<TaskConfig>): Promise<TaskConfig> =>
  host.task(driver, config, more);

const shell = (script: string): Record<string, unknown> => ({ command: '/bin/sh', args: ['-c', script] });
const output = (of: TaskConfig, stream = 'stdout'): Promise<string> =>
  readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8');

async function run(of: TaskConfig) {
  await engine.start(of, never);
  const exit = await engine.wait(of.id, never);
  return exit;
}

describe('raw_exec does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run(commandSuite(scratch, () => openDriver(rawExec, { enabled: true }, deps))),
  );
});

describe('raw_exec under the TypeScript supervisor does what every driver does:', () => {
  const supervisor = createSupervisor({ kind: 'typescript' });
  afterAll(() => supervisor.close());

  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run({
      ...commandSuite(scratch, () => openDriver(rawExec, { enabled: true }, { ...deps, supervisor })),
      excused: { 'exec with a terminal gives output, then the code': 'Node makes no pseudo-terminals' },
    }),
  );

  test('a working directory that is not there is refused as foretold', async () => {
    const own = openDriver(rawExec, { enabled: true }, { ...deps, supervisor });
    const of = await task({ ...shell('true'), work_dir: '/no/such' });
    expect(await startRefusal(own.engine, of)).toContain('working directory "/no/such": No such file or directory');
    await own.engine.close();
  });
});

test('runs a program in its task directory, with its output in log files and its exit code kept', async () => {
  const of = await task(shell('pwd; echo "$GREETING"; echo oops >&2; exit 7'), {
    env: { PATH: '/bin:/usr/bin', GREETING: 'hi' },
  });
  expect(await run(of)).toMatchObject({ exitCode: 7, signal: 0, oomKilled: false });
  expect(await output(of)).toBe(`${of.directories.task}\nhi\n`);
  expect(await output(of, 'stderr')).toBe('oops\n');
  expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 7 });
  await engine.destroy(of.id, { force: false }, never);
  await expect(engine.inspect(of.id, never)).rejects.toMatchObject({ kind: 'not_found' });
});

test('a command that is not there is refused with the text of task events', async () => {
  const of = await task({ command: '/no/such/binary' });
  await expect(engine.start(of, never)).rejects.toThrow(
    'failed to launch command with executor: rpc error: code = Unknown desc = binary "/no/such/binary" could not be found',
  );
});

test('an unknown user is refused with the text of task events', async () => {
  const of = await task(shell('true'), { user: 'no-such-user' });
  await expect(engine.start(of, never)).rejects.toThrow(
    'failed driver config validation: failed to identify user "no-such-user": user: unknown user no-such-user',
  );
});

test('stop sends the signal first, and kills what ignores it', async () => {
  const polite = await task(shell('trap "echo int; exit 0" INT; echo up; while :; do sleep 0.05; done'));
  await engine.start(polite, never);
  await until(async () => (await output(polite)) === 'up\n');
  await engine.stop(polite.id, { timeoutMs: 5000, killSignal: '' }, never);
  expect(await engine.wait(polite.id, never)).toMatchObject({ exitCode: 0 });
  const stubborn = await task(shell('trap "" INT TERM; echo up; while :; do sleep 0.05; done'));
  await engine.start(stubborn, never);
  await until(async () => (await output(stubborn)) === 'up\n');
  await engine.stop(stubborn.id, { timeoutMs: 200, killSignal: 'SIGTERM' }, never);
  expect(await engine.wait(stubborn.id, never)).toMatchObject({ exitCode: 137, signal: 9 });
  for (const of of [polite, stubborn]) await engine.destroy(of.id, { force: false }, never);
});

test('a task is found again by another engine with nothing but its state', async () => {
  const of = await task(shell('sleep 0.5; exit 3'));
  const { state } = await engine.start(of, never);
  const second = openDriver(rawExec, { enabled: true }, deps).engine;
  await second.recover(of, JSON.parse(JSON.stringify(state)), never);
  expect(await second.inspect(of.id, never)).toMatchObject({ state: 'running' });
  expect(await second.wait(of.id, never)).toMatchObject({ exitCode: 3 });
  await second.destroy(of.id, { force: false }, never);
  await second.close();
  await engine.wait(of.id, never);
  await engine.destroy(of.id, { force: true }, never);
});

test('a start whose state was lost is destroyed by its id alone', async () => {
  const of = await task(shell('sleep 60'));
  await engine.start(of, never);
  const second = openDriver(rawExec, { enabled: true }, deps).engine;
  await expect(second.destroy(of.id, { force: false }, never)).rejects.toMatchObject({ kind: 'conflict' });
  await second.destroy(of.id, { force: true }, never);
  expect(await engine.wait(of.id, never)).toMatchObject({ signal: 9 });
  await expect(second.destroy(of.id, { force: true }, never)).rejects.toMatchObject({ kind: 'not_found' });
  await engine.destroy(of.id, { force: true }, never);
});

test('starts nobody knows are swept, known ones are left alone', async () => {
  const known = await task(shell('sleep 60'));
  const forgotten = await task(shell('sleep 60'));
  await engine.start(known, never);
  await engine.start(forgotten, never);
  expect(await sweepStarts(deps, [known.id])).toEqual([forgotten.id.replaceAll('/', '.')]);
  expect(await engine.inspect(known.id, never)).toMatchObject({ state: 'running' });
  expect(await engine.wait(forgotten.id, never)).toMatchObject({ signal: 9 });
  for (const of of [known, forgotten]) await engine.destroy(of.id, { force: true }, never);
});

test('a start whose shim was not reached leaves nothing running', async () => {
  const { supervisor } = deps;
  const unreached: DriverDeps = {
    ...deps,
    supervisor: {
      kind: supervisor.kind,
      collect: (record) => supervisor.collect(record),
      recover: (directory) => supervisor.recover(directory),
      close: () => supervisor.close(),
      start: async (record) => {
        (await supervisor.start(record)).close();
        throw new Fault('unavailable', 'the shim does not answer: connect EMFILE', { recoverable: true });
      },
    },
  };
  const other = openDriver(rawExec, { enabled: true }, unreached);
  const of = await task(shell('sleep 4242'));
  await expect(other.engine.start(of, never)).rejects.toThrow('connect EMFILE');
  expect(await processesOf(of)).toEqual([]);
  await expect(other.engine.inspect(of.id, never)).rejects.toMatchObject({ kind: 'not_found' });
  await other.engine.close();
});

test('an end that cannot be read for a moment is told to whoever asks again', async () => {
  const of = await task(shell('sleep 60'));
  const { state } = await engine.start(of, never);
  const { directory, pid } = state as unknown as CommandState;
  // as with too many files open: it is there, and cannot be read
  const record = join(directory, 'exit.json');
  await mkdir(record);
  process.kill(JSON.parse(await readFile(join(directory, 'shim.pid'), 'utf8')).pid, 'SIGKILL');
  await expect(engine.wait(of.id, never)).rejects.toMatchObject({ kind: 'unavailable' });
  await rmdir(record);
  expect(await engine.wait(of.id, never)).toMatchObject({ unknown: 'shim-lost' });
  await until(async () => !(await isRunning(pid)));
  await engine.destroy(of.id, { force: false }, never);
});

test('a task whose shim is killed ends as unknown, and nothing of it goes on', async () => {
  const of = await task(shell('echo $$; exec sleep 300'));
  const { state } = await engine.start(of, never);
  const { pid } = JSON.parse(await readFile(join(deps.stateDirectory, of.id.replaceAll('/', '.'), 'shim.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  expect(await engine.wait(of.id, never)).toMatchObject({ unknown: 'shim-lost' });
  await until(async () => !(await isRunning(state['pid'] as number)));
  await engine.destroy(of.id, { force: true }, never);
});

test('exec runs beside the task with its environment', async () => {
  const of = await task(shell('sleep 60'), { env: { PATH: '/bin:/usr/bin', COLOR: 'blue' } });
  await engine.start(of, never);
  const session = await engine.exec!(
    of.id,
    { command: ['sh', '-c', 'cat; echo $COLOR; pwd; exit 4'], tty: false },
    never,
  );
  await session.writeStdin(Buffer.from('in\n'));
  await session.closeStdin();
  let text = '';
  for await (const { data } of session.output) text += Buffer.from(data).toString();
  expect(text).toBe(`in\nblue\n${of.directories.task}\n`);
  expect(await session.exit).toMatchObject({ exitCode: 4 });
  await engine.destroy(of.id, { force: true }, never);
});

test.runIf(asRoot)('runs as the named user with exactly its groups', async () => {
  const of = await task(shell('id -u; id -g; id -G'), { user: 'nobody' });
  expect(await run(of)).toMatchObject({ exitCode: 0 });
  expect(await output(of)).toBe('65534\n65534\n65534\n');
  await engine.destroy(of.id, { force: false }, never);
});

test.runIf(asRoot)('memory is limited by cgroup, and what a task leaves behind dies with it', async () => {
  const of = await task(
    shell('(setsid sleep 300 &) ; cat /proc/self/cgroup; tail /dev/zero; code=$?; echo rc=$code; exit $code'),
  );
  expect(await run(of)).toMatchObject({ exitCode: 137, oomKilled: true });
  const text = await output(of);
  expect(text).toContain('rc=137');
  expect(text).toContain(of.id.replaceAll('/', '.'));
  await engine.destroy(of.id, { force: false }, never);
  expect(await host.leftGroups()).toEqual([]);
});

test('stats tell processor and memory use', async () => {
  const of = await task(shell('while :; do :; done'));
  await engine.start(of, never);
  await engine.stats!(of.id, never);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stats = await engine.stats!(of.id, never);
  expect(stats.cpu.percent).toBeGreaterThan(5);
  expect(stats.memory.measured).toContain('RSS');
  // the kernel books a small process's pages in batches: rss may still read 0
  expect(stats.memory.usage + stats.memory.rss).toBeGreaterThan(10_000);
  await engine.destroy(of.id, { force: true }, never);
});

test.runIf(asRoot)('holds the floor "process" where the job names a user, every line checked', async () => {
  const of = await task(shell('grep -E "CapBnd|NoNewPrivs" /proc/self/status'), {
    isolationFloor: 'process',
    user: 'nobody',
  });
  const { isolation } = await engine.start(of, never);
  expect(isolation).toMatchObject({ rung: 'process', floor: 'process' });
  expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 0 });
  expect(await output(of)).toMatch(/CapBnd:\t0+\nNoNewPrivs:\t1/);
  await engine.destroy(of.id, { force: true }, never);
});

test('a floor it cannot reach is refused and named', async () => {
  const of = await task(shell('echo ran'), { isolationFloor: 'sandbox' });
  await expect(engine.start(of, never)).rejects.toMatchObject({ kind: 'unsupported' });
  if (!asRoot) return;
  // without a user the task gets a uid of its own; who asks for root cannot have the floor too
  const asItIs = await task(shell('echo ran'), { isolationFloor: 'process', user: 'root' });
  await expect(engine.start(asItIs, never)).rejects.toThrow(
    /isolation floor "process" is not reached.*missing: not_root/,
  );
  await expect(readFile(join(asItIs.directories.logs, 'main.stdout.0'), 'utf8').catch(() => '')).resolves.toBe('');
});

describe('raw_exec with options of its operator', () => {
  const opened: OpenDriver[] = [];
  afterAll(() => Promise.all(opened.map((each) => each.engine.close())));
  const under = (options: Record<string, unknown>): OpenDriver => {
    const own = openDriver(rawExec, { enabled: true, ...options }, deps);
    opened.push(own);
    return own;
  };
  const outcome = async (of: OpenDriver, config: Record<string, unknown>) => {
    const one = await host.task(of, config);
    await of.engine.start(one, never);
    const exit = await of.engine.wait(one.id, never);
    const said = { exit, stdout: await output(one) };
    await of.engine.destroy(one.id, { force: true }, never);
    return said;
  };

  test.skipIf(!asRoot)(
    'runs tasks that name nobody as default_user, with its groups; else as root (control)',
    async () => {
      const ids = shell('id -u; id -g; id -G');
      expect((await outcome(under({ default_user: 'nobody' }), ids)).stdout).toBe('65534\n65534\n65534\n');
      expect((await outcome(under({}), ids)).stdout).toMatch(/^0\n0\n/);
    },
  );

  test.skipIf(!asRoot)('refuses users and groups that it is told to, and begins where the job says', async () => {
    const refuses = async (of: OpenDriver, user: string) =>
      of.engine.start(await host.task(of, shell('true'), { user }), never).then(
        () => 'it was started',
        (error: unknown) => String(error),
      );
    expect(await refuses(under({ denied_host_uids: '0-10' }), 'root')).toContain('uid 0 is disallowed');
    expect(await refuses(under({ denied_host_gids: '65534' }), 'nobody')).toContain('gid 65534 is disallowed');
    expect((await outcome(under({ denied_host_uids: '5' }), { ...shell('pwd'), work_dir: '/usr' })).stdout).toBe(
      '/usr\n',
    );
  });

  test('a working directory that is not there is refused as foretold, one that may still be made at the start', async () => {
    const refusal = async (work_dir: string, more: Partial<TaskConfig> = {}, told = true) =>
      (await startRefusal(engine, await task({ ...shell('true'), work_dir }, more), told)).split(' desc = ')[1];
    const text = (path: string, reason: string): string => `working directory ${JSON.stringify(path)}: ${reason}`;
    expect(await refusal('/no/such')).toBe(text('/no/such', 'No such file or directory'));
    expect(await refusal('/etc/passwd')).toBe(text('/etc/passwd', 'Not a directory'));
    expect(await refusal('/usr/lib')).toBeUndefined();
    const { directories, allocId } = await task(shell('true'));
    const own = join(directories.local, 'absent');
    expect(await refusal(own, { directories, allocId }, false)).toBe(text(own, 'No such file or directory'));
  });

  test.skipIf(!asRoot)('a working directory that its user may not enter is refused as foretold', async () => {
    const closed = join(scratch.root, 'closed');
    await mkdir(closed, { mode: 0o700 });
    for (const more of [{ user: 'nobody' }, { isolationFloor: 'process' }] as const) {
      const of = await task({ ...shell('true'), work_dir: closed }, more);
      expect(await startRefusal(engine, of)).toContain(`working directory "${closed}": Permission denied`);
    }
    const byRoot = await task({ ...shell('true'), work_dir: closed });
    expect(await startRefusal(engine, byRoot)).toBe('it was started');
  });

  test('runs only allowed_commands, whatever links lead there', async () => {
    const strict = under({ allowed_commands: ['/usr/bin/ec*'] });
    expect((await outcome(strict, { command: '/bin/echo', args: ['hi'] })).stdout).toBe('hi\n');
    const other = await host.task(strict, { command: '/bin/cat' });
    await expect(strict.engine.start(other, never)).rejects.toThrow(/usr\/bin\/cat is not among the allowed_commands/);
  });

  test('runs what was allowed, not what somebody puts in the place of a link to it', async () => {
    const programs = await Promise.all(['/bin/sh', '/bin/cat'].map((path) => realpath(path)));
    const strict = under({ allowed_commands: programs });
    const of = await host.task(strict, { command: '/bin/cat' });
    const link = join(of.directories.local, 'shown');
    await symlink('/bin/cat', link);
    const told = await outcome(strict, { command: link, args: ['/proc/self/cmdline'] });
    expect(told.stdout.split('\0')[0]).toBe(programs[1]);
    // control: where nobody else writes a program is called as it is named
    const named = await outcome(strict, { command: '/bin/sh', args: ['-c', 'cat /proc/$$/cmdline; :'] });
    expect(named.stdout.split('\0')[0]).toBe('/bin/sh');
  });

  test('bounds processes where pids_limit says so, and not else (control)', async ({ skip }) => {
    if (deps.isolation.probes.get('cgroup.pids')?.ok !== true) skip('no pids controller here');
    const many = shell('for i in 1 2 3 4 5 6 7 8; do sleep 0.5 & done 2>/dev/null; wait; echo all');
    expect((await outcome(under({ pids_limit: 4 }), many)).stdout).not.toContain('all');
    expect((await outcome(under({}), many)).stdout).toBe('all\n');
  });
});

test('variables that operator or job deny are not there, and the others are', async () => {
  const strict = openDriver(rawExec, { enabled: true, denied_envvars: ['AWS_*'] }, deps);
  const script = 'echo "[$AWS_KEY][$SECRET_1][$KEPT]"';
  const env = { PATH: '/bin:/usr/bin', AWS_KEY: 'a', SECRET_1: 'b', KEPT: 'c' };
  const of = await host.task(strict, { ...shell(script), denied_envvars: ['SECRET_?'] }, { env });
  await strict.engine.start(of, never);
  await strict.engine.wait(of.id, never);
  expect(await output(of)).toBe('[][][c]\n');
  await strict.engine.destroy(of.id, { force: false }, never);
  await strict.engine.close();
  const all = await task(shell(script), { env });
  await run(all);
  expect(await output(all)).toBe('[a][b][c]\n');
  await engine.destroy(all.id, { force: false }, never);
});

test.runIf(asRoot)('oom_score_adj and cpu_hard_limit are set, and what they are not is refused', async ({ skip }) => {
  const of = await task({
    ...shell('cat /proc/self/oom_score_adj; sleep 60'),
    oom_score_adj: 321,
    cpu_hard_limit: true,
  });
  const { state } = await engine.start(of, never);
  await expect.poll(() => output(of)).toBe('321\n');
  const directories = (
    state['cgroup'] as {
      readonly directories: readonly { path: string; version: number; controllers: readonly string[] }[];
    } | null
  )?.directories;
  const cpu = directories?.find(({ controllers }) => controllers.includes('cpu'));
  const quota =
    cpu === undefined ? '' : await readFile(join(cpu.path, cpu.version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us'), 'utf8');
  await engine.destroy(of.id, { force: true }, never);
  const wrong = await task({ command: '/bin/true', oom_score_adj: -5 });
  await expect(engine.start(wrong, never)).rejects.toThrow('oom_score_adj must be 0 to 1000, not -5');
  if (cpu === undefined) skip('no cpu controller here');
  expect(Number.parseInt(quota, 10)).toBeGreaterThan(0);
});

describe.runIf(asRoot)('a task of raw_exec in a group of the operator', () => {
  const name = `drover-operator-${process.pid}`;
  const made: string[] = [];
  afterAll(async () => {
    for (const path of made) await rmdir(path);
  });
  const groupIn = async (version: 1 | 2, controller = ''): Promise<boolean> => {
    const found = deps.isolation.cgroups.hierarchies.find(
      (each) => each.version === version && (version === 2 || each.controllers.includes(controller)),
    );
    if (found === undefined) return false;
    await mkdir(join(found.mount, name));
    made.push(join(found.mount, name));
    return true;
  };

  test('of version 1 is in that one for its controller, and else in its own', async ({ skip }) => {
    if (!(await groupIn(1, 'memory'))) skip('no memory hierarchy of version 1 here');
    const of = await task({ ...shell('cat /proc/self/cgroup'), cgroup_v1_override: [{ memory: name }] });
    expect(await run(of)).toMatchObject({ exitCode: 0 });
    expect(await output(of)).toMatch(new RegExp(`:memory:/${name}\n`));
    expect(await output(of)).toContain(`/${of.id.replaceAll('/', '.')}\n`);
    await engine.destroy(of.id, { force: false }, never);
  });

  test('of version 2 is in that one', async ({ skip }) => {
    if (!(await groupIn(2))) skip('no hierarchy of version 2 here');
    const of = await task({ ...shell('cat /proc/self/cgroup'), cgroup_v2_override: name });
    expect(await run(of)).toMatchObject({ exitCode: 0 });
    expect(await output(of)).toMatch(new RegExp(`^0::/${name}\n`, 'm'));
    await engine.destroy(of.id, { force: false }, never);
    const both = await task({ command: '/bin/true', cgroup_v2_override: name, cgroup_v1_override: [{ memory: name }] });
    await expect(engine.start(both, never)).rejects.toThrow('only one of cgroup_v1_override and cgroup_v2_override');
  });

  test('and no_cgroups of old configurations takes nothing away', async () => {
    const old = openDriver(rawExec, { enabled: true, no_cgroups: true }, deps);
    const of = await host.task(old, shell('cat /proc/self/cgroup'));
    await old.engine.start(of, never);
    await old.engine.wait(of.id, never);
    expect(await output(of)).toContain(of.id.replaceAll('/', '.'));
    await old.engine.destroy(of.id, { force: false }, never);
    await old.engine.close();
  });
});

/** Command lines of what runs with the task's directory in its environment, and of shims of its record. */
async function processesOf(of: TaskConfig): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [line, environment] = await Promise.all(
        ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
      );
      return line !== '' && `${line}${environment}`.includes(of.allocId) ? [line!] : [];
    }),
  );
  return found.flat();
}

async function isRunning(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text !== '' && !text.includes(') Z ');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 5000; !(await condition().catch(() => false)); ) {
    if (Date.now() > deadline) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
