import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { java, javaArguments } from './index.ts';
import { parseVersion } from './virtual-machine.ts';

const never = new AbortController().signal;
let host: ScratchHost;
let driver: OpenDriver;
let engine: EngineDriver;
let classes: string;
/** What is missing on this host; empty: nothing. */
const lacking = ['java', 'ecj'].filter((name) => {
  try {
    execFileSync(name, ['-version'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
});

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(java, {}, host.deps);
  engine = driver.engine;
  classes = await mkdtemp(join(tmpdir(), 'drover-java-'));
  if (lacking.length > 0) return;
  const source = join(import.meta.dirname, 'Program.java');
  execFileSync('ecj', ['-17', '-proc:none', '-nowarn', '-d', classes, source], { stdio: ['ignore', 'ignore', 'pipe'] });
});

afterAll(async () => {
  await engine.close();
  const left = await host.leftGroups();
  await host.close();
  await rm(classes, { recursive: true, force: true });
  expect(left).toEqual([]);
});

/** A task with the compiled program in its directory. */
async function task(args: readonly string[], more: Record<string, unknown> = {}): Promise<TaskConfig> {
  const made = await host.task(
    driver,
    { class_path: 'local', class: 'Program', args, jvm_options: ['-Xmx32m', '-XX:+UseSerialGC'], ...more },
    { resources: { cpuShares: 500, cpusetCpus: '', memoryMb: 192, memoryMaxMb: 0, percentTicks: 0.1, ports: [] } },
  );
  await copyFile(join(classes, 'Program.class'), join(made.directories.local, 'Program.class'));
  return made;
}

async function run(of: TaskConfig) {
  const started = await startForetold(engine, of);
  const exit = await engine.wait(of.id, never);
  const stdout = await readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');
  await engine.destroy(of.id, { force: false }, never);
  return { exit, stdout, isolation: started.isolation! };
}

const suite = (way: Way): DriverSuite => ({
  open: opening(way, java, () => ({ options: {}, deps: host.deps })),
  ends: (code) => task(['exit', String(code)]),
  runsFor: (ms) => task(['sleep', String(ms)]),
  stubborn: () => task(['stubborn']),
  cannotStart: () => task([], { class: '' }),
  says: async (text) => {
    const of = await task(['say', text]);
    return { task: of, read: () => readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8') };
  },
  execs: async () => ({ task: await task(['sleep', '60000']), command: ['sh', '-c', 'echo out; exit 4'] }),
  excused: {
    'what does not heed the signal is killed after the timeout':
      'a virtual machine needs a second before it heeds anything; tried below, with time',
  },
});

describe.skipIf(lacking.length > 0).each(ways)(
  'java on a real virtual machine, %s, does what every driver does:',
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);

describe.skipIf(lacking.length > 0)('java', () => {
  test('says which virtual machine there is', async () => {
    const stop = new AbortController();
    for await (const report of engine.fingerprint(stop.signal)) {
      expect(report.health).toBe('healthy');
      expect(report.attributes).toMatchObject({
        'driver.java': '1',
        'driver.java.version': expect.stringMatching(/^\d+/),
        'driver.java.runtime': expect.stringContaining('Runtime Environment'),
        'driver.java.vm': expect.stringContaining('VM'),
        'driver.java.isolation': expect.stringMatching(/^(none|process|sandbox|container)$/),
      });
      stop.abort();
    }
  });

  test('runs an archive, with options of the machine before it and arguments behind it', async () => {
    const of = await task([], {});
    await mkdir(join(of.directories.local, 'meta'));
    const manifest = join(of.directories.local, 'meta', 'MANIFEST.MF');
    await (await import('node:fs/promises')).writeFile(manifest, 'Manifest-Version: 1.0\nMain-Class: Program\n\n');
    // a Java archive is a zip file
    const zip =
      'import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],"w")\nz.write(sys.argv[2],"META-INF/MANIFEST.MF")\nz.write(sys.argv[3],"Program.class")\nz.close()';
    execFileSync('python3', [
      '-c',
      zip,
      join(of.directories.local, 'app.jar'),
      manifest,
      join(classes, 'Program.class'),
    ]);
    const decoded = driver.decodeConfig({
      jar_path: 'local/app.jar',
      jvm_options: ['-Xmx32m', '-Dcolour=green'],
      args: ['property', 'colour'],
    });
    if (!decoded.ok) throw new Error(decoded.problems.join());
    const { exit, stdout } = await run({ ...of, config: decoded.value });
    expect(exit).toMatchObject({ exitCode: 0 });
    expect(stdout).toBe('green\n');
  });

  test('runs at the rung of exec, every line of it checked', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox on this host');
    const { isolation } = await run(await task(['say', 'x']));
    expect(isolation).toMatchObject({ rung: 'sandbox', wanted: 'container' });
  });

  test('a machine that takes more memory than its task has is reported as out of memory', async ({ skip }) => {
    if (host.deps.isolation.probes.get('cgroup.memory')?.ok !== true) skip('no memory group on this host');
    const { exit } = await run(await task(['memory'], { jvm_options: ['-Xmx2g', '-XX:+UseSerialGC'] }));
    expect(exit).toMatchObject({ oomKilled: true, signal: 9, exitCode: 137 });
  });

  test('what catches SIGINT is killed after the timeout', async () => {
    const of = await task(['stubborn']);
    await engine.start(of, never);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const before = Date.now();
    await engine.stop(of.id, { timeoutMs: 500, killSignal: 'SIGINT' }, never);
    expect(Date.now() - before).toBeGreaterThanOrEqual(450);
    expect(await engine.wait(of.id, never)).toMatchObject({ signal: 9 });
    await engine.destroy(of.id, { force: false }, never);
  });

  test('capabilities that the operator does not allow are refused', async () => {
    const refused = await startRefusal(engine, await task(['say', 'x'], { cap_add: ['sys_admin'] }));
    expect(refused).toContain('does not allow the following capabilities: sys_admin');
    expect(await startRefusal(engine, await task([], { class: '', jar_path: '' }))).toBe(
      'jar_path or class must be specified',
    );
    expect(await startRefusal(engine, await task(['say', 'x']))).toBe('it was started');
  });
});

test('the order of the arguments is the one that java wants', () => {
  const decoded = driver.decodeConfig({ class: 'a.B', class_path: '/c', jvm_options: ['-Xa'], args: ['1', '2'] });
  expect(decoded.ok && javaArguments(decoded.value as never)).toEqual(['-Xa', '-cp', '/c', 'a.B', '1', '2']);
});

test('a version is understood with and without what JAVA_TOOL_OPTIONS prints before it', () => {
  const text = 'Picked up JAVA_TOOL_OPTIONS: -Xmx1g\njava version "1.8.0_292"\nR (build 1)\nVM (build 2)\n';
  expect(parseVersion(text)).toEqual({ version: '1.8.0_292', runtime: 'R (build 1)', vm: 'VM (build 2)' });
  expect(parseVersion('command not found')).toBeNull();
});
