import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StartRecord, Supervisor } from './contract.ts';
import { locateNative } from './locate.ts';
import { endOf, scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';
import { startTimeOf } from './this-host.ts';
import { encodeVerify, readReport } from './verify-fields.ts';

/** Every launcher of the native shim: the command is held by the verifier, and the wait status is the task's own. */

const native = locateNative('drover-shim');
const verifier = locateNative('drover-verify') ?? '';
const { SIGKILL, SIGSEGV } = constants.signals;
const asRoot = process.getuid?.() === 0;
const has = (program: string) => spawnSync(program, ['--version']).status === 0;
/** Not all of /: mounts of others come and go while bwrap binds them. */
const system = ['/usr', '/bin', '/lib', '/lib64', '/etc'].filter((path) => existsSync(path));
const env = { PATH: '/usr/bin:/bin' };
const nonce = 'n-1';

describe.skipIf(native === null)('the native shim', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-launch-'));
  let supervisor: Supervisor;
  let counter = 0;

  beforeAll(() => {
    chmodSync(base, 0o755);
    supervisor = createSupervisor({ kind: 'native' });
  });
  afterAll(async () => {
    await supervisor.close();
    rmSync(base, { recursive: true, force: true });
  });

  const record = (more: Partial<StartRecord>) =>
    scratchRecord(base, ++counter, [verifier, '3'], { env, gate: { timeoutMs: 20_000 }, ...more });

  const out = (of: StartRecord, stream = 'stdout') =>
    readFileSync(join(base, `t${of.id.split('/')[1]}.${stream}.0`), 'utf8');
  const verify = (script: string) =>
    encodeVerify({ nonce, command: ['sh', '-c', script], env, identity: { noNewPrivs: true, capabilities: 0n } });

  const bwrap = (...more: string[]) => [
    ...['bwrap', '--as-pid-1', '--info-fd', '4', '--unshare-pid', '--unshare-ipc'],
    ...system.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...[...more, '--tmpfs', '/tmp', '--ro-bind', verifier, '/tmp/verify', '/tmp/verify', '3'],
  ];

  function oci(runtime: string, name: string, step: 'create' | 'run' = 'create'): Partial<StartRecord> {
    const bundle = join(base, name);
    const state = join(base, `${name}-state`);
    mkdirSync(join(bundle, 'rootfs'), { recursive: true });
    const namespaces = ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type }));
    const bind = (from: string, to = from) => ({
      source: from,
      destination: to,
      type: 'bind',
      options: ['rbind', 'ro'],
    });
    const mounts = [...['/usr', '/bin', '/lib', '/lib64'].map((each) => bind(each)), bind(verifier, '/verify')];
    const config = {
      ociVersion: '1.0.2',
      process: {
        terminal: false,
        user: { uid: 0, gid: 0 },
        args: ['/verify', '3'],
        env: ['PATH=/usr/bin:/bin'],
        cwd: '/',
      },
      root: { path: 'rootfs', readonly: false },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts],
      linux: { namespaces, cgroupsPath: `/drover-test-${process.pid}-${name}` },
    };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    const tool = [runtime, '--root', state];
    const pidFile = join(base, `${name}.pid`);
    const remove = { kind: 'oci', delete: [...tool, 'delete', '--force', name] } as const;
    const rest = ['--bundle', bundle, '--preserve-fds', '1', name];
    if (step === 'run') return { command: [...tool, 'run', '--detach', ...rest], launcher: remove };
    return {
      command: [...tool, 'create', '--pid-file', pidFile, ...rest],
      launcher: { ...remove, start: [...tool, 'start', name], pidFile },
    };
  }

  let named = 0;
  const launchers: [string, boolean, () => Partial<StartRecord>][] = [
    ['direct', true, () => ({})],
    ['pid namespace', true, () => ({ killUnit: { kind: 'pid-namespace', mountProc: true } })],
    ['bwrap', has('bwrap'), () => ({ launcher: { kind: 'bwrap' }, command: bwrap() })],
    [
      "bwrap under the task's own uid",
      asRoot && has('bwrap'),
      () => ({
        launcher: { kind: 'bwrap' },
        command: bwrap('--unshare-user'),
        identity: { uid: 12_345, gid: 12_345, noNewPrivs: true, capabilities: 0n },
      }),
    ],
    ['runc', asRoot && has('runc'), () => oci('runc', `runc${++named}`)],
    ['runc that also starts it', asRoot && has('runc'), () => oci('runc', `runc${++named}`, 'run')],
    // crun refuses hosts where v1 and v2 are mounted side by side.
    ['crun', asRoot && has('crun') && !existsSync('/sys/fs/cgroup/unified'), () => oci('crun', `crun${++named}`)],
  ];

  describe.each(launchers.filter(([, there]) => there))('behind %s', (name, _there, more) => {
    test('holds the command with the verifier, which reports what it found', async () => {
      const of = record({ ...more(), verify: verify('echo ran; exit 3') });
      const shim = await supervisor.start(of);
      const status = await shim.held();
      expect(status.state).toBe('held');
      const findings = readReport(await shim.report(), nonce);
      const found = (what: string) => findings.find((each) => each.name === what)?.found;
      expect(findings.at(-1)?.event).toBe('ready');
      expect(found('no_new_privs')).toBe('1');
      expect(found('capabilities')).toMatch(/^0{16} 0{16} 0{16} [0-9a-f]{16} 0{16}$/);
      expect(found('descriptors')).toBe('');
      if (name !== 'direct') expect(found('pid')).not.toBe(`${status.pid}`);
      expect(status.stdout.stored).toBe(0n);
      await shim.go();
      expect(await endOf(shim)).toMatchObject({ started: true, code: 3, signal: 0, by: 'task' });
      expect(out(of)).toBe('ran\n');
      await shim.shutdown();
    });

    test('tells exit 137, SIGKILL and SIGSEGV apart', async () => {
      const told: string[] = [];
      // As process 1 of a namespace a task cannot be killed by itself, so the signals come from outside.
      for (const [script, signal] of [
        ['exit 137', 0],
        ['sleep 60', SIGKILL],
        ['exec python3 -c "import ctypes; ctypes.string_at(0)"', SIGSEGV],
      ] as const) {
        const shim = await supervisor.start(record({ ...more(), verify: verify(script) }));
        await shim.held();
        await shim.go();
        if (signal === SIGKILL) await shim.signal(SIGKILL);
        const ended = await endOf(shim);
        told.push(`${ended.code}/${ended.signal}`);
        await shim.shutdown();
      }
      expect(told).toEqual(['137/0', `137/${SIGKILL}`, `139/${SIGSEGV}`]);
    }, 60_000);

    test('says what is missing where the command is not there, and that nothing ran', async () => {
      const bad = encodeVerify({ nonce, command: ['/does/not/exist'], env, identity: {} });
      const shim = await supervisor.start(record({ ...more(), verify: bad }));
      await shim.held();
      await expect(shim.go()).rejects.toMatchObject({ kind: 'invalid' });
      expect(await endOf(shim)).toMatchObject({ started: false, by: 'start-failed', code: 127, error: { errno: 2 } });
      await shim.shutdown();
    });

    test('without a go nothing ran, and nothing is left', async () => {
      const of = record({ ...more(), verify: verify('echo ran'), gate: { timeoutMs: 1500 } });
      const shim = await supervisor.start(of);
      const { pid } = await shim.held();
      expect(await endOf(shim)).toMatchObject({ started: false, by: 'never-started' });
      expect(startTimeOf(pid)).toBe(0n);
      expect(out(of)).toBe('');
      await shim.shutdown();
    });

    test('when the shim is killed the task dies with it, and its end is unknown', async () => {
      const shim = await supervisor.start(record({ ...more(), verify: verify('exec sleep 76.5') }));
      const { pid } = await shim.held();
      await shim.go();
      process.kill(shim.pid, 'SIGKILL');
      expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
      for (let i = 0; i < 100 && startTimeOf(pid) !== 0n; i++) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(startTimeOf(pid)).toBe(0n);
      // What a runtime keeps of it goes too.
      if (name === 'runc') expect(existsSync(join(base, `runc${named}-state`, `runc${named}`))).toBe(false);
      if (name === 'runc')
        expect(existsSync(`/sys/fs/cgroup/pids/drover-test-${process.pid}-runc${named}`)).toBe(false);
    });

    test.skipIf(name === 'runc' || name === 'crun')(
      'an exec session sees the same processes, mounts and privileges as the task',
      async () => {
        const way = more();
        const identity = { ...way.identity, noNewPrivs: true, capabilities: 0n };
        const of = record({ ...way, verify: verify('sleep 60'), identity });
        const shim = await supervisor.start(of);
        const { pid } = await shim.held();
        await shim.go();
        const look =
          'for n in mnt pid ipc net user; do readlink /proc/self/ns/$n; done; grep -E "NoNewPrivs|CapEff|CapBnd" /proc/self/status';
        const exec = await shim.exec({ command: ['sh', '-c', look], env });
        let text = '';
        for await (const chunk of exec.output) text += Buffer.from(chunk.data).toString();
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const wanted = ['mnt', 'pid', 'ipc', 'net', 'user'].map((each) =>
          execFileSync('readlink', [`/proc/${pid}/ns/${each}`], { encoding: 'utf8' }),
        );
        const lines = status.split('\n').filter((line) => /^(NoNewPrivs|CapEff|CapBnd)/.test(line));
        expect(text).toBe(
          `${wanted.join('')}${[...lines].sort((a, b) => status.indexOf(a) - status.indexOf(b)).join('\n')}\n`,
        );
        await shim.stop({ timeoutMs: 100 });
        await endOf(shim);
        await shim.shutdown();
      },
    );
  });

  test('a task in its own pid namespace takes everything with it, daemons included, when its shim is killed', async () => {
    // a time that no other run of this test sleeps for
    const seconds = `66.${process.pid}`;
    const of = record({
      command: ['sh', '-c', `setsid sleep ${seconds} & echo started; sleep 60`],
      killUnit: { kind: 'pid-namespace', mountProc: true },
    });
    const { gate: _, ...ungated } = of;
    const shim = await supervisor.start(ungated);
    const status = await shim.held();
    const find = `grep -lz "^${seconds}$" /proc/[0-9]*/cmdline`;
    const inside = () => spawnSync('sh', ['-c', find], { encoding: 'utf8' }).stdout;
    while (inside() === '') await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill(shim.pid, 'SIGKILL');
    expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
    for (let i = 0; i < 100 && inside() !== ''; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(inside()).toBe('');
    expect(startTimeOf(status.pid)).toBe(0n);
  });

  test.skipIf(!asRoot || !has('bwrap'))(
    "a launcher sees its task's own mounts, but not those of other tasks",
    async () => {
      const below = join(base, 'tasks');
      for (const name of ['own', 'other']) mkdirSync(join(below, name), { recursive: true });
      const mounted = [below, join(below, 'own'), join(below, 'other')];
      execFileSync('mount', ['-n', '--bind', below, below]);
      for (const name of ['own', 'other']) {
        execFileSync('mount', ['-n', '-t', 'tmpfs', 'drover-test', join(below, name)]);
        writeFileSync(join(below, name, 'secret'), name);
      }
      try {
        const look = async (more: Partial<StartRecord>): Promise<string> => {
          const command = bwrap('--ro-bind', below, '/seen');
          const script = 'cat /seen/own/secret; cat /seen/other/secret 2>/dev/null';
          const of = record({ launcher: { kind: 'bwrap' }, command, verify: verify(script), ...more });
          const shim = await supervisor.start(of);
          await shim.held();
          await shim.go();
          await endOf(shim);
          await shim.shutdown();
          return out(of);
        };
        expect(await look({})).toBe('ownother');
        expect(await look({ mountsOfOthers: { below, own: [join(below, 'own')] } })).toBe('own');
        // nor does it look at the host's cgroups, which every sandbox covers
        const groups = bwrap('--ro-bind', '/sys', '/seen');
        const lists = { launcher: { kind: 'bwrap' }, command: groups, verify: verify('ls /seen/fs/cgroup') } as const;
        expect(await look(lists)).not.toBe('');
        expect(await look({ ...lists, mountsOfOthers: { below, own: [join(below, 'own')] } })).toBe('');
        expect(readFileSync(join(below, 'other', 'secret'), 'utf8')).toBe('other');
      } finally {
        for (const path of mounted.reverse()) execFileSync('umount', ['-n', path]);
      }
    },
  );

  test('an OCI runtime runs from a sealed file in memory, the new one where it was replaced, a script from where it is', async () => {
    const runtime = join(base, 'runtime');
    const told = async (...args: string[]) => {
      const launcher = { kind: 'oci', delete: ['true'] } as const;
      const of = record({ command: [runtime, ...args], launcher, verify: verify('true') });
      const shim = await supervisor.start(of);
      // it ends well, and no verifier ever spoke
      expect(await endOf(shim)).toMatchObject({ started: false, error: { stage: 'oci create' } });
      await shim.shutdown();
      rmSync(runtime);
      return out(of).trim();
    };
    // all four seals of memfd_create(2)
    const seals = ['-e', 'open my $own, "<", "/proc/self/exe"; print fcntl($own, 1034, 0)'];
    copyFileSync('/usr/bin/perl', runtime);
    expect(await told(...seals)).toBe('15');
    copyFileSync('/bin/readlink', runtime);
    expect(await told('/proc/self/exe')).toMatch(/^\/memfd:/);
    writeFileSync(runtime, '#!/bin/sh\necho "$0"', { mode: 0o755 });
    expect(await told()).toBe(runtime);
  });

  test('what an OCI runtime says when its create fails leads to a record, not to a task', async () => {
    if (!asRoot || !has('runc')) return;
    const broken = oci('runc', `broken${++named}`);
    rmSync(join(base, `broken${named}`, 'config.json'));
    const shim = await supervisor.start(record({ ...broken, verify: verify('true') }));
    expect(await endOf(shim)).toMatchObject({
      started: false,
      by: 'start-failed',
      error: { stage: 'oci create', message: expect.stringMatching(/create failed: .*config\.json/) },
    });
    await shim.shutdown();
  });
});
