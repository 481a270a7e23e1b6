import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { commandSuite } from '../../driver-kit/command-suite.ts';
import { conformanceCases } from '../../driver-kit/conformance.ts';
import { type DriverDeps, type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { findSystemPaths } from '../../isolation/launch/system-paths.ts';
import { predictIsolation } from '../../model/isolation-ability.ts';
import { noFloor } from '../../model/isolation-floor.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { createSupervisor } from '../../supervise/supervisor.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
let host: ScratchHost;
let deps: DriverDeps;
let driver: OpenDriver;
let engine: EngineDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  ({ deps } = host);
  driver = openDriver(exec, {}, deps);
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

const shell = (script: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  command: '/bin/sh',
  args: ['-c', script],
  ...more,
});

async function output(of: TaskConfig, stream = 'stdout'): Promise<string> {
  return readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8');
}

async function run(of: TaskConfig) {
  const started = await startForetold(engine, of);
  const exit = await engine.wait(of.id, never);
  const said = { exit, isolation: started.isolation!, stdout: await output(of), stderr: await output(of, 'stderr') };
  await engine.destroy(of.id, { force: false }, never);
  return said;
}

/** Rung 2 needs bubblewrap, the native programs, and user namespaces: a host without them is named, not passed. */
const sandbox = (): boolean => deps.isolation.best === 'sandbox';

describe('exec does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run(commandSuite(host.scratch, () => openDriver(exec, {}, deps))),
  );
});

describe('exec on an OCI runtime does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    const runtime = ['crun', 'runc'].find((name) => deps.isolation.probes.get(`runtime.${name}`)?.ok === true);
    // named where it cannot be tried: needs root and a runtime that works here
    if (runtime === undefined) return;
    await each.run(
      commandSuite(host.scratch, () => openDriver(exec, { isolation: [{ runtimes: ['crun', 'runc'] }] }, deps)),
    );
  });
});

describe('exec on util-linux alone does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    // named where it cannot be tried: needs user namespaces and util-linux
    if (deps.isolation.probes.get('runtime.unshare')?.ok !== true) return;
    await each.run(
      commandSuite(host.scratch, () => openDriver(exec, { isolation: [{ runtimes: ['unshare'] }] }, deps)),
    );
  });
});

describe('exec held at rung process does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run(commandSuite(host.scratch, () => openDriver(exec, { isolation: [{ prefer: 'process' }] }, deps))),
  );
});

describe('exec under the TypeScript supervisor does what every driver does:', () => {
  const supervisor = createSupervisor({ kind: 'typescript' });
  afterAll(() => supervisor.close());

  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run({
      ...commandSuite(host.scratch, () => openDriver(exec, {}, { ...deps, supervisor })),
      excused: { 'exec with a terminal gives output, then the code': 'Node makes no pseudo-terminals' },
    }),
  );
});

test('the host says what it lacks for a sandbox, or that it has it', () => {
  const lacking = [...deps.isolation.probes.values()].filter((each) => !each.ok);
  expect(sandbox() || lacking.length > 0, JSON.stringify(lacking)).toBe(true);
});

test('a task runs at rung sandbox, every line of it checked', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const { isolation, exit } = await run(await task(shell('true')));
  expect(exit).toMatchObject({ exitCode: 0 });
  const missing = isolation.mechanisms
    .filter((each) => each.state !== 'verified' && each.name !== 'disk_quota')
    .map((each) => each.name);
  // a job without a network block keeps the host's network; without root there may be no cgroup
  const above = [
    'cgroup_limits',
    'root_file_system',
    'masked_proc',
    'devices',
    'network_namespace',
    'network_policy',
    'cgroup_namespace',
    'user_namespace',
  ];
  expect(missing.filter((name) => !above.includes(name))).toEqual([]);
  expect(isolation).toMatchObject({ rung: 'sandbox', wanted: 'container', floor: 'none' });
});

test('inside are the task directories, a read-only system and nobody else', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task(
    shell(
      'pwd; id -u; ls /; echo a > /alloc/data/a; echo l > /local/l; echo s > /secrets/s; echo t > /tmp/t; echo r > root-file; ' +
        'touch /usr/x /etc/x /alloc/logs/x; ps -e 2>/dev/null | wc -l; echo $HOME $USER',
    ),
  );
  const { stdout, stderr } = await run(of);
  expect(stdout.split('\n').slice(0, 2)).toEqual(['/', '65534']);
  expect(stdout).toContain('/nonexistent nobody');
  expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
  for (const path of [
    join(of.directories.shared, 'data', 'a'),
    join(of.directories.local, 'l'),
    join(of.directories.secrets, 's'),
    join(of.directories.task, 'root-file'),
  ]) {
    const { uid } = await stat(path);
    expect(uid).toBe(process.getuid?.() === 0 ? (await stat(join(of.directories.local, 'l'))).uid : process.getuid?.());
    expect(uid).not.toBe(0);
  }
});

test('the same attack succeeds under raw conditions and fails inside', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const canary = join(host.scratch.root, 'canary');
  await writeFile(canary, 'secret of the host', { mode: 0o644 });
  expect(await readFile(canary, 'utf8')).toContain('secret');
  const attack = `cat ${canary}; cat /proc/1/root${canary}; kill -0 ${process.pid} && echo sees-the-agent; unshare --user true && echo unshared; mount -t tmpfs x /tmp && echo mounted`;
  const { stdout } = await run(await task(shell(attack)));
  expect(stdout).toBe('');
});

test('tasks have different uids, and a restarted one keeps its own', async ({ skip }) => {
  if (!sandbox() || deps.isolation.uids === null) skip('needs root');
  const owner = async (of: TaskConfig): Promise<number> => {
    await run(of);
    return (await stat(join(of.directories.local, 'mine'))).uid;
  };
  const first = await task(shell('touch /local/mine'));
  const again = { ...first, id: first.id.replace(/[^/]+$/, 'ffffffff') };
  const other = await task(shell('touch /local/mine'));
  const uid = await owner(first);
  expect(uid).toBeGreaterThanOrEqual(1_900_000_000);
  expect(await owner(again)).toBe(uid);
  expect(await owner(other)).not.toBe(uid);
});

test('a named user is that user inside, and nobody known outside', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task(shell('id -u; id -un; echo $HOME; touch /local/mine; chown 1 /local/mine'), { user: 'root' });
  const { stdout, stderr, isolation } = await run(of);
  expect(stdout).toBe('0\nroot\n/root\n');
  expect(stderr).toMatch(/Invalid argument|not permitted/);
  expect((await stat(join(of.directories.local, 'mine'))).uid).not.toBe(0);
  expect(isolation.rung).toBe('sandbox');
});

test('exec sessions get what the task has: ids, filter, capabilities, namespaces', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task(
    shell(
      'echo $$; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status > /local/main; readlink /proc/self/ns/* > /local/ns; sleep 60',
    ),
  );
  await engine.start(of, never);
  const session = await engine.exec!(
    of.id,
    {
      command: [
        'sh',
        '-c',
        'sleep 0.3; id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | diff - /local/main && readlink /proc/self/ns/* | diff - /local/ns && echo same',
      ],
      tty: false,
    },
    never,
  );
  let text = '';
  for await (const { data } of session.output) text += Buffer.from(data).toString();
  expect(text).toBe('65534\nsame\n');
  await engine.destroy(of.id, { force: true }, never);
});

test('a task whose shim is killed ends as unknown, and nothing of it goes on', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task(shell('sleep 300 & sleep 300'));
  const { state } = await engine.start(of, never);
  const { pid } = JSON.parse(await readFile(join(deps.stateDirectory, of.id.replaceAll('/', '.'), 'shim.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  expect(await engine.wait(of.id, never)).toMatchObject({ unknown: 'shim-lost' });
  const left = await readFile(`/proc/${state['pid'] as number}/stat`, 'utf8').catch(() => '');
  expect(left === '' || left.includes(') Z ')).toBe(true);
  await engine.destroy(of.id, { force: true }, never);
});

test('a command that is not in the sandbox is refused with the text of task events', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task({ command: '/no/such/binary' });
  expect(await startRefusal(engine, of)).toBe(
    `failed to launch command with executor: rpc error: code = Unknown desc = file /no/such/binary not found under path ${of.directories.task}`,
  );
});

describe('a working directory', () => {
  const absent = (path: string, reason: string): string =>
    `failed to launch command with executor: rpc error: code = Unknown desc = working directory ${JSON.stringify(path)}: ${reason}`;

  test.for([
    ['/no/such', 'No such file or directory'],
    ['/usr/no-such', 'No such file or directory'],
    ['/etc/passwd', 'Not a directory'],
    ['/etc/passwd/x', 'Not a directory'],
    // there on the host, not in a sandbox
    ['/home', 'No such file or directory'],
    ['/tmp/below', 'No such file or directory'],
  ] as const)('that cannot be there is refused as foretold: %s', async ([work_dir, reason], { skip }) => {
    if (!sandbox()) skip('no sandbox on this host');
    expect(await startRefusal(engine, await task(shell('true', { work_dir })))).toBe(absent(work_dir, reason));
    const alone = { network: { mode: 'none', path: '', labels: {} } } as const;
    expect(await startRefusal(engine, await task(shell('true', { work_dir }), alone))).toBe(absent(work_dir, reason));
  });

  test('that somebody may still make is refused only at the start', async ({ skip }) => {
    if (!sandbox()) skip('no sandbox on this host');
    for (const work_dir of ['/local/absent', '/alloc/data/absent'])
      expect(await startRefusal(engine, await task(shell('true', { work_dir })), false)).toBe(
        absent(work_dir, 'No such file or directory'),
      );
  });

  test.each(['/usr/lib', '/usr/../lib', '/local', '/alloc/data', '/dev/shm'])('that is there: %s', async (work_dir) => {
    expect((await run(await task(shell('true', { work_dir })))).exit.exitCode).toBe(0);
  });
});

test('capabilities beyond what the operator allows are refused; allowed ones are there, and the rung says so', async ({
  skip,
}) => {
  await expect(engine.start(await task(shell('true', { cap_add: ['sys_admin'] })), never)).rejects.toMatchObject({
    kind: 'denied',
  });
  if (!sandbox()) skip('no sandbox on this host');
  const { isolation, stdout } = await run(
    await task(shell('grep CapEff /proc/self/status', { cap_add: ['net_bind_service'] })),
  );
  expect(isolation.rung).toBe('process');
  expect(stdout).toMatch(/0400$/m);
});

test('a task with no network runs at rung container where an OCI runtime works', async ({ skip }) => {
  const runtime = ['crun', 'runc'].some((name) => deps.isolation.probes.get(`runtime.${name}`)?.ok === true);
  if (!runtime) skip('no OCI runtime works on this host');
  const of = await task(
    shell(
      'id -u; cat /proc/self/uid_map | tr -s " "; cut -d: -f1 /proc/net/dev | tr -d " "; echo l > /local/l; exit 3',
    ),
    {
      network: { mode: 'none', path: '', labels: {} },
      isolationFloor: 'container',
    },
  );
  const { isolation, exit, stdout } = await run(of);
  expect(isolation.mechanisms.filter((each) => each.state !== 'verified' && each.name !== 'disk_quota')).toEqual([]);
  expect(isolation).toMatchObject({ rung: 'container', floor: 'container' });
  expect(exit).toMatchObject({ exitCode: 3 });
  expect(stdout).toMatch(/^65534\n/);
  expect(stdout).toMatch(/^lo$/m);
  expect((await stat(join(of.directories.local, 'l'))).uid).toBeGreaterThanOrEqual(1_900_000_000);
});

test('volumes are there, read-only where they are', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const volume = join(host.scratch.root, 'volume');
  await (await import('node:fs/promises')).mkdir(volume, { mode: 0o777 });
  await writeFile(join(volume, 'code'), 'from the volume\n', { mode: 0o644 });
  const mount = { taskPath: '/srv/code', hostPath: volume, readOnly: true, propagation: '' } as const;
  const { stdout, stderr } = await run(await task(shell('cat /srv/code/code; touch /srv/code/x'), { mounts: [mount] }));
  expect(stdout).toBe('from the volume\n');
  expect(stderr).toMatch(/Read-only/);
});

test('a required line that is not there refuses the task before its first instruction, by name', async ({ skip }) => {
  if (!sandbox()) skip('no sandbox on this host');
  const of = await task(shell('echo ran > /local/ran'), { isolationRequire: ['seccomp', 'second_kernel'] });
  await expect(engine.start(of, never)).rejects.toThrow(/isolation floor .* missing: second_kernel/);
  expect(await stat(join(of.directories.local, 'ran')).catch(() => null)).toBeNull();
  expect(
    (await run(await task(shell('true'), { isolationRequire: ['seccomp', 'pids_limit'] }))).isolation,
  ).toMatchObject({
    required: ['seccomp', 'pids_limit'],
  });
});

const configurations: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>])[] = [
  ['as it comes', {}, {}],
  ['held at rung sandbox', { isolation: [{ prefer: 'sandbox' }] }, {}],
  ['held at rung process', { isolation: [{ prefer: 'process' }] }, {}],
  ['held at rung none', { isolation: [{ prefer: 'none' }] }, {}],
  ['with bubblewrap alone', { isolation: [{ runtimes: ['bwrap'] }] }, {}],
  ['with util-linux alone', { isolation: [{ runtimes: ['unshare'] }] }, {}],
  ['with runc alone', { isolation: [{ runtimes: ['runc'] }] }, {}],
  ["with Nomad's capabilities", { capabilities: 'nomad' }, {}],
  ['with a capability of the job', {}, { cap_add: ['net_bind_service'] }],
  ["in the host's pid namespace", {}, { pid_mode: 'host' }],
  ...(['bwrap', 'unshare', 'runc'] as const).map(
    (name) =>
      [
        `in the host's ipc namespace with ${name} alone`,
        { isolation: [{ runtimes: [name] }] },
        { ipc_mode: 'host' },
      ] as const,
  ),
];

describe('what the node says a task would get is what the task gets:', () => {
  test.each(configurations)('%s', async (_, plugin, options) => {
    const opened = openDriver(exec, plugin, deps);
    let attributes: Readonly<Record<string, string>> = {};
    for await (const report of opened.engine.fingerprint(never)) {
      ({ attributes } = report);
      break;
    }
    for (const mode of ['none', 'host']) {
      const group = { Networks: [{ Mode: mode }] } as unknown as TaskGroup;
      const predicted = predictIsolation(attributes, group, { Driver: 'exec', Config: options }, noFloor);
      const network = mode === 'none' ? ({ mode: 'none', path: '', labels: {} } as const) : null;
      const of = await host.task(opened, shell('true', options), { network });
      const started = await opened.engine.start(of, never);
      await opened.engine.wait(of.id, never);
      await opened.engine.destroy(of.id, { force: false }, never);
      expect({ mode, rung: predicted?.rung }).toEqual({ mode, rung: started.isolation?.rung });
    }
    await opened.engine.close();
  });
});

test('a driver held at rung sandbox makes no container of a task with a network of its own: one that is not held does (control)', async ({
  skip,
}) => {
  if (!deps.isolation.probes.get('runtime.runc')?.ok || !deps.isolation.probes.get('runtime.bwrap')?.ok)
    skip('not both bubblewrap and runc work here');
  const made = async (plugin: Record<string, unknown>) => {
    const opened = openDriver(exec, plugin, deps);
    const network = { mode: 'none', path: '', labels: {} } as const;
    const of = await host.task(opened, shell('true'), { network });
    const { isolation } = await opened.engine.start(of, never);
    await opened.engine.wait(of.id, never);
    await opened.engine.destroy(of.id, { force: false }, never);
    await opened.engine.close();
    return [isolation?.rung, isolation?.runtime.replace(/ .*/, '')];
  };
  expect(await made({ isolation: [{ prefer: 'sandbox' }] })).toEqual(['sandbox', 'bwrap']);
  expect(await made({})).toEqual(['container', 'runc']);
});

test('no_pivot_root of old configurations is taken, and a task has a root of its own all the same', async ({
  skip,
}) => {
  if (deps.isolation.best !== 'sandbox') skip('no sandbox on this host');
  const old = openDriver(exec, { no_pivot_root: true }, deps);
  const of = await host.task(old, shell(`ls -d /alloc /local; test -e ${deps.stateDirectory} || echo not the host`));
  await old.engine.start(of, never);
  await old.engine.wait(of.id, never);
  expect(await readFile(join(of.directories.logs, 'main.stdout.0'), 'utf8')).toBe('/alloc\n/local\nnot the host\n');
  await old.engine.destroy(of.id, { force: false }, never);
  await old.engine.close();
});

describe.each(['bwrap', 'runc', 'unshare'])('under %s', (runtime) => {
  test("a task sees of the system what the operator's chroot_env names, where it says, read-only, and nothing else", async ({
    skip,
  }) => {
    if (deps.isolation.probes.get(`runtime.${runtime}`)?.ok !== true) skip(`no ${runtime}`);
    const shown = ['/bin', '/lib', '/lib64', '/usr'].map((path) => [path, path]);
    const chrootEnv = {
      ...Object.fromEntries(shown),
      '/etc/ssl': '/inside/ssl',
      '/etc/passwd': '/inside/passwd',
      '/not/here': '/x',
    };
    const isolation = { ...deps.isolation, system: await findSystemPaths(chrootEnv) };
    const own = openDriver(exec, { isolation: [{ runtimes: [runtime] }] }, { ...deps, isolation });
    const script =
      'ls /inside; head -n 1 /inside/passwd; ls -d /inside/ssl/certs; ls -d /etc/ssl /x /sys/devices; echo >/inside/ssl/made; echo >>/inside/passwd';
    const of = await host.task(own, shell(script));
    await own.engine.start(of, never);
    await own.engine.wait(of.id, never);
    const [stdout, stderr] = [await output(of), await output(of, 'stderr')];
    await own.engine.destroy(of.id, { force: false }, never);
    await own.engine.close();
    const [first = ''] = (await readFile('/etc/passwd', 'utf8')).split('\n');
    expect(stdout).toBe(`passwd\nssl\n${first}\n/inside/ssl/certs\n`);
    expect(stderr.match(/No such file or directory/g)).toHaveLength(3);
    expect(stderr.match(/Read-only file system|Permission denied/g)).toHaveLength(2);
  });
});
