// Modules that a compiler made of C, and one that Go made of a program of its own, in real processes.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { memoryLimit, openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { wasm } from './index.ts';
import { compileModule, lackingForModules } from './scratch-module.ts';

const never = new AbortController().signal;
const modules = mkdtempSync(join(tmpdir(), 'drover-wasm-'));
chmodSync(modules, 0o755);
const program = join(modules, 'program.wasm');
const options = { module_paths: [modules] };
let host: ScratchHost;
let driver: OpenDriver;
let engine: EngineDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(wasm, options, host.deps);
  engine = driver.engine;
  if (lackingForModules.length === 0) compileModule(join(import.meta.dirname, 'program.c'), program);
});

afterAll(async () => {
  await engine.close();
  const left = await host.leftGroups();
  await host.close();
  rmSync(modules, { recursive: true, force: true });
  expect(left).toEqual([]);
});

/** The module is one of the operator's, by its name alone. */
const task = (args: readonly string[], config: Record<string, unknown> = {}, more: Partial<TaskConfig> = {}) =>
  host.task(driver, { module: 'program.wasm', args, ...config }, more);

async function run(of: TaskConfig, by = engine) {
  const started = await startForetold(by, of);
  const exit = await by.wait(of.id, never);
  const log = (stream: string) => readFileSync(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8');
  const result = { exit, stdout: log('stdout'), stderr: log('stderr'), isolation: started.isolation! };
  await by.destroy(of.id, { force: false }, never);
  return result;
}

function suite(way: Way): DriverSuite {
  return {
    open: opening(way, wasm, () => ({ options, deps: host.deps })),
    ends: (code) => task(['exit', String(code)]),
    runsFor: (ms) => task(['sleep', String(ms)]),
    stubborn: async () => null,
    cannotStart: () => task([], { module: 'local/no-such.wasm' }),
    says: async (text) => {
      const of = await task(['say', text]);
      return { task: of, read: async () => readFileSync(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8') };
    },
    execs: async () => ({ task: await task(['sleep', '60000']), command: ['sh', '-c', 'echo out; exit 4'] }),
    excused: { 'what does not heed the signal is killed after the timeout': 'a module never sees a signal' },
  };
}

describe.skipIf(lackingForModules.length > 0).each(ways)('wasm, %s, does what every driver does:', (way) => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => each.run(suite(way)));
});

describe.skipIf(lackingForModules.length > 0)('a module', () => {
  test('gets its arguments and the variables of its task, and none that would change the process around it', async () => {
    const env = { COLOUR: 'green', NODE_OPTIONS: '--no-such-option', LD_PRELOAD: '/x' };
    const { stdout } = await run(await task(['args', 'one', 'two words']));
    expect(stdout).toBe(`program.wasm\nargs\none\ntwo words\n`);
    const of = await task(['env'], {}, { env });
    expect((await run(of)).stdout.trim().split('\n').sort()).toEqual(['COLOUR=green']);
  });

  test('runs at the rung of exec, every line of it checked', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox on this host');
    const { isolation, exit } = await run(await task(['exit', '3']));
    expect(exit).toMatchObject({ exitCode: 3, signal: 0 });
    expect(isolation).toMatchObject({ rung: 'sandbox', wanted: 'container' });
  });

  test('runs in a container of its own network', async ({ skip }) => {
    if (host.deps.isolation.probes.get('runtime.runc')?.ok !== true) skip('no OCI runtime on this host');
    const network = { mode: 'none', path: '', labels: {} } as const;
    const { isolation, exit } = await run(await task(['trap'], {}, { network }));
    expect(exit).toMatchObject({ exitCode: 134, message: 'trap: unreachable' });
    expect(isolation.rung).toBe('container');
  });

  test.each([
    ['trap', 'trap: unreachable'],
    ['deep', /^trap: (memory access out of bounds|Maximum call stack size exceeded)$/],
  ])('that traps (%s) ends as an aborted program does, and the end says why', async (word, why) => {
    const { exit, stderr } = await run(await task([word]));
    expect(exit).toMatchObject({ exitCode: 134, message: typeof why === 'string' ? why : expect.stringMatching(why) });
    expect(stderr).toContain(exit.message);
  });

  test('that loops for ever is stopped, and ends at its timeout', async () => {
    const of = await task(['spin'], { timeout: '700ms' });
    const { exit } = await run(of);
    expect(exit).toMatchObject({ exitCode: 124, message: 'the module ran longer than its timeout of 0.7 s' });
  });

  test.each([
    ['spin', 'SIGINT', 130],
    ['spin', 'SIGTERM', 143],
    ['nap', 'SIGHUP', 129],
  ])('that would go on for ever (%s) ends at once by %s', async (word, killSignal, exitCode) => {
    const endless = await task([word]);
    await engine.start(endless, never);
    await expect.poll(() => readFileSync(join(endless.directories.logs, 'main.stdout.0'), 'utf8')).toContain(word);
    await engine.stop(endless.id, { timeoutMs: 20_000, killSignal }, never);
    expect(await engine.wait(endless.id, never)).toMatchObject({ exitCode, signal: 0 });
    await engine.destroy(endless.id, { force: false }, never);
  });

  test('that is stopped while its process begins ends all the same', async () => {
    const of = await task(['spin']);
    await engine.start(of, never);
    await engine.stop(of.id, { timeoutMs: 20_000, killSignal: '' }, never);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 130, signal: 0 });
    await engine.destroy(of.id, { force: false }, never);
  });

  test('has its memory, and what the process around it may have beside it, as the limit of its group', async ({
    skip,
  }) => {
    const roomy = openDriver(wasm, { ...options, memory_headroom: 250 }, host.deps);
    const of = await host.task(roomy, { module: 'program.wasm', args: ['sleep', '60000'] });
    const { state } = await roomy.engine.start(of, never);
    const limit = memoryLimit(state);
    await roomy.engine.destroy(of.id, { force: true }, never);
    await roomy.engine.close();
    if (limit === null) skip('no memory controller here');
    expect(limit).toBe((64 + 250) << 20);
  });

  test('that is no command of WASI is refused with the reason', async () => {
    const write = (name: string, bytes: readonly number[]) =>
      writeFileSync(join(modules, name), Uint8Array.from(bytes));
    write('text.wasm', [...Buffer.from('#!/bin/sh\nexit 0\n')]);
    write('component.wasm', [0, 0x61, 0x73, 0x6d, 13, 0, 1, 0]);
    write('library.wasm', [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const ends = async (name: string) => (await run(await task([], { module: join(modules, name) }))).exit;
    expect(await ends('text.wasm')).toMatchObject({
      exitCode: 126,
      message: expect.stringContaining('no WebAssembly'),
    });
    expect(await ends('component.wasm')).toMatchObject({
      exitCode: 126,
      message: expect.stringContaining('component'),
    });
    expect(await ends('library.wasm')).toMatchObject({ exitCode: 126, message: expect.stringContaining('_start') });
    expect(await ends('absent.wasm')).toMatchObject({ exitCode: 127, message: expect.stringContaining('not there') });
  });

  test('of Go reads the files of its directory: gofmt, as its authors wrote it', async ({ skip }) => {
    const gofmt = join(modules, 'gofmt.wasm');
    try {
      const env = { ...process.env, GOOS: 'wasip1', GOARCH: 'wasm', GOFLAGS: '', GOTOOLCHAIN: 'local' };
      execFileSync('go', ['build', '-o', gofmt, 'cmd/gofmt'], { env, stdio: 'pipe', cwd: modules });
    } catch {
      skip('no Go that makes modules on this host');
    }
    const of = await task(['-l', '-w', '/code'], {
      module: gofmt,
      dir: [{ path: 'local/code', guest: '/code' }],
    });
    mkdirSync(join(of.directories.local, 'code'));
    chmodSync(join(of.directories.local, 'code'), 0o777);
    const file = join(of.directories.local, 'code', 'a.go');
    writeFileSync(file, 'package a;func  F( ){ }\n');
    chmodSync(file, 0o666);
    expect(await run(of)).toMatchObject({ exit: { exitCode: 0 }, stdout: '/code/a.go\n', stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe('package a\n\nfunc F() {}\n');
  }, 240_000);
});

describe.skipIf(lackingForModules.length > 0).each([
  ['in a sandbox', true],
  ['of a plain process', false],
])('the directories of a module %s', (_, sandboxed) => {
  let by: OpenDriver;
  let paths: readonly string[];

  beforeAll(() => {
    const prefer = sandboxed ? 'container' : 'process';
    by = openDriver(wasm, { ...options, isolation: { prefer } }, host.deps);
    paths = ['/etc/hostname', '../../../etc/hostname', '/data/../../../../../../etc/hostname', '/data/out/hostname'];
  });
  afterAll(() => by.engine.close());

  /** A directory with a link out of it, one within it, and a file. */
  async function attempt(args: readonly string[], readOnly = false) {
    const of = await task(args, { dir: [{ path: 'local/data', guest: '/data', read_only: readOnly }] });
    const data = join(of.directories.local, 'data');
    mkdirSync(join(data, 'inner'), { recursive: true });
    symlinkSync('/etc', join(data, 'out'));
    symlinkSync('inner', join(data, 'in'));
    symlinkSync('out/drover-new', join(data, 'dangling'));
    writeFileSync(join(data, 'inner', 'file'), 'within\n');
    for (const path of [data, join(data, 'inner')]) chmodSync(path, 0o777);
    chmodSync(join(data, 'inner', 'file'), 0o666);
    return { ...(await run(of, by.engine)), data };
  }

  test('hold what lies in them, also through links that stay within', async () => {
    expect((await attempt(['read', '/data/in/file'])).stdout).toBe('within\nread done\n');
    expect((await attempt(['list', '/data/inner'])).stdout).toBe('file\n');
    const wrote = await attempt(['update', '/data/in/file']);
    expect(readFileSync(join(wrote.data, 'inner', 'file'), 'utf8')).toBe('written');
  });

  test('are not left: not by a path, not by a link in it, not by one that leads to nothing yet', async () => {
    for (const path of paths) {
      const { stdout, exit } = await attempt(['read', path]);
      expect([path, exit.exitCode, stdout]).toEqual([path, 1, 'read Capabilities insufficient\n']);
    }
    expect((await attempt(['write', '/data/dangling'])).exit.exitCode).toBe(1);
    expect((await attempt(['mkdir', '/data/out/drover-new'])).exit.exitCode).toBe(1);
    expect((await attempt(['list', '/data/out'])).exit.exitCode).toBe(1);
    expect((await attempt(['symlink', '/etc', '/data/new'])).exit.exitCode).toBe(1);
    expect((await attempt(['link', '/data/out/hostname', '/data/new'])).exit.exitCode).toBe(1);
  });

  test.each([
    ['write', '/data/new'],
    ['append', '/data/inner/file'],
    ['update', '/data/in/file'],
    ['truncate', '/data/inner/file'],
    ['touch', '/data/inner/file'],
    ['unlink', '/data/inner/file'],
    ['mkdir', '/data/new'],
    ['rename', '/data/inner/file', '/data/moved'],
    ['link', '/data/inner/file', '/data/second'],
    ['symlink', 'inner', '/data/third'],
  ])('can be read-only: %s is refused there, and only there', async (...args) => {
    const refused = await attempt(args, true);
    expect([refused.stdout, refused.exit.exitCode]).toEqual([
      `${args[0] === 'append' || args[0] === 'update' ? 'write' : args[0]} Read-only file system\n`,
      1,
    ]);
    expect(readFileSync(join(refused.data, 'inner', 'file'), 'utf8')).toBe('within\n');
    // a descriptor that was opened for reading cannot be cut, and the times of another's file not be set, whatever the directory
    if (args[0] !== 'truncate' && args[0] !== 'touch') expect((await attempt(args, false)).exit.exitCode).toBe(0);
  });

  test('that are read-only do not lie in one that is not', async () => {
    const dir = [{ path: 'local' }, { path: 'local/link', guest: '/data', read_only: true }];
    const nested = await task(['exit', '0'], { dir });
    mkdirSync(join(nested.directories.local, 'data'));
    symlinkSync('data', join(nested.directories.local, 'link'));
    const { exit } = await run(nested, by.engine);
    expect(exit).toMatchObject({
      exitCode: 126,
      message: 'dir /data is read_only, but lies in /local, which is not: make both so, or put them side by side',
    });
  });

  test('are those of the task: no other is named', async () => {
    const start = async (path: string) => {
      const of = await task(['exit', '0'], { dir: [{ path }] });
      symlinkSync('/etc', join(of.directories.local, 'out'));
      return run(of, by.engine);
    };
    await expect(start('local/../../..')).rejects.toMatchObject({ kind: 'invalid' });
    // in a sandbox the link leads to the sandbox's own /etc
    if (!sandboxed) await expect(start('local/out')).rejects.toMatchObject({ kind: 'denied' });
  });
});

test('without a directory a module sees no file', async ({ skip }) => {
  if (lackingForModules.length > 0) skip('no compiler of modules');
  expect((await run(await task(['list', '/']))).exit.exitCode).toBe(1);
});

test('a directory that is not there is told by name, and the module not run', async ({ skip }) => {
  if (lackingForModules.length > 0) skip('no compiler of modules');
  const { exit } = await run(await task(['exit', '0'], { dir: [{ path: 'local/none', guest: '/data' }] }));
  expect(exit).toMatchObject({ exitCode: 126, message: expect.stringMatching(/^dir \/data: \/local\/none is no dir/) });
});

test('a module that begins with more memory than its job says is not run', async () => {
  // (module (memory (export "memory") 2048) (func (export "_start")))
  const bytes =
    '0061736d010000000104016000000302010005040100801007130206 6d656d6f727902000 65f73746172740000 0a040102000b';
  writeFileSync(join(modules, 'large.wasm'), Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
  const { exit } = await run(await task([], { module: join(modules, 'large.wasm') }));
  const message = /wasm: begins with more memory than the task's 64 MB: raise resources { memory }$/;
  expect(exit).toMatchObject({ exitCode: 126, message: expect.stringMatching(message) });
});

test('a wrong timeout, and a module that is not there, are refused before the start', async () => {
  expect(await startRefusal(engine, await task([], { timeout: 'soon' }))).toContain('timeout');
  const absent = (name: string) =>
    `module ${JSON.stringify(name)} is neither in the task's directory (an artifact block puts it there: "local/…") nor below the operator's module_paths (${modules})`;
  expect(await startRefusal(engine, await task([], { module: 'app.wasm' }))).toBe(absent('app.wasm'));
  // what is to be in the task's own directory may still come
  expect(await startRefusal(engine, await task([], { module: 'local/app.wasm' }), false)).toBe(
    absent('local/app.wasm'),
  );
});
