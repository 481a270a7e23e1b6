import { spawn, spawnSync } from 'node:child_process';
import { once as event } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { Shim, TaskEnd } from './contract.ts';
import { SupervisionInvariants } from './invariants.ts';
import { locateNative } from './locate.ts';
import { scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';

/**
 * Kills and errors at exact system calls of what comes after a start: a stop, the exit record, the rotation of output, a recovery; after
 * each the invariants of supervision are checked. `DROVER_LONG=1` tries every point, otherwise a sample.
 */

const long = process.env['DROVER_LONG'] === '1';
const has = (program: string) => spawnSync('which', [program]).status === 0;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const mark = '76.25';

/** `read 3`: the third call of read; strace counts the calls of each kind for itself. */
type Point = readonly [call: string, when: number];

function pointsOf(trace: string): Point[] {
  const counts = new Map<string, number>();
  return [...readFileSync(trace, 'utf8').matchAll(/^([a-z_0-9]+)\(/gm)].map(([, call = '']) => {
    counts.set(call, (counts.get(call) ?? 0) + 1);
    return [call, counts.get(call) as number] as const;
  });
}

/** Every point, or so many of them spread over all. */
const sample = <T>(points: readonly T[], count: number): readonly T[] =>
  long ? points : points.filter((_, at) => at % Math.ceil(points.length / count) === 0);

/** Attached when this resolves; `ended` resolves when strace has let go. */
async function traced(pid: number, options: readonly string[]): Promise<{ readonly ended: Promise<unknown> }> {
  const tracer = spawn('strace', ['-p', `${pid}`, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => tracer.once('exit', resolve));
  await event(tracer.stderr, 'data');
  return { ended };
}

const killing = ([call, when]: Point) => ['-o', '/dev/null', '-e', `inject=${call}:signal=KILL:when=${when}`];

const marked = () =>
  spawnSync('sh', ['-c', `grep -lz '^${mark}$' /proc/[0-9]*/cmdline`], { encoding: 'utf8' }).stdout.trim();

async function goneMark(): Promise<string> {
  for (let i = 0; i < 500 && marked() !== ''; i++) await pause(10);
  return marked();
}

describe.skipIf(locateNative('drover-shim') === null || !has('strace'))('at any system call', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-ends-'));
  const supervisor = createSupervisor({ kind: 'native' });
  const invariants = new SupervisionInvariants(supervisor, base);
  const { env } = invariants;
  let compiled: ReturnType<typeof compiledCopy>;
  let counter = 0;

  beforeAll(() => {
    compiled = compiledCopy();
  }, 60_000);
  afterAll(async () => {
    invariants.end();
    await supervisor.close();
    compiled.remove();
    rmSync(base, { recursive: true, force: true });
  });

  /** Says so when it has begun: its trap stands. Its code is its own. */
  const running = async () => {
    const script = `trap 'exit 9' TERM; echo up; sleep ${mark} & wait`;
    const killUnit = { kind: 'pid-namespace', mountProc: true } as const;
    const of = scratchRecord(base, ++counter, ['sh', '-c', script], { env, killUnit });
    const shim = await supervisor.start(of);
    invariants.acknowledge(of);
    const file = join(base, `t${counter}.stdout.0`);
    while (!existsSync(file) || statSync(file).size === 0) await pause(5);
    return { of, shim };
  };
  /** Stops and takes the record; whoever is killed meanwhile does not answer. */
  const stopAndLeave = async (shim: Shim): Promise<TaskEnd | null> => {
    try {
      await shim.stop({ timeoutMs: 2000 });
      const end = await shim.wait();
      await shim.shutdown();
      return end;
    } catch {
      return null;
    }
  };

  test('of a stop, the exit record and its acknowledgement a killed shim leaves no process, and a record that is whole or an end that is unknown', async () => {
    const trace = join(base, 'stop-trace');
    const whole = await running();
    const { ended } = await traced(whole.shim.pid, ['-o', trace]);
    expect(await stopAndLeave(whole.shim)).toMatchObject({ by: 'stop', code: 9 });
    await ended;
    const points = pointsOf(trace);
    const recorded = points.findIndex(([call]) => call.startsWith('renameat'));
    expect(recorded).toBeGreaterThan(0);
    const outcomes = new Set<string>();
    // all points around the record's writing, a sample of the others
    const around = points.filter((_, at) => Math.abs(at - recorded) <= 6);
    for (const point of new Set([...sample(points, 12), ...around])) {
      const { of, shim } = await running();
      const tracing = await traced(shim.pid, killing(point));
      const told = await stopAndLeave(shim);
      await tracing.ended;
      // calls come in other numbers from run to run: the file says whether the record was written by then
      const isWritten = existsSync(join(shim.directory, 'exit.json'));
      const found = await supervisor.recover(shim.directory);
      if (found.state !== 'ended') throw new Error(`${point.join(' ')}: ${found.state}`);
      outcomes.add(found.end.unknown ?? 'known');
      if (found.end.unknown === null) expect([...point, found.end.by, found.end.code]).toEqual([...point, 'stop', 9]);
      // what was told is what is written
      if (told?.unknown === null) expect([...point, found.end]).toEqual([...point, told]);
      expect([...point, found.end.unknown]).toEqual([...point, isWritten ? null : 'shim-lost']);
      expect([...point, await goneMark()]).toEqual([...point, '']);
      await invariants.check(of);
    }
    expect([...outcomes].sort()).toEqual(['known', 'shim-lost']);
  }, 600_000);

  test.each(['openat', 'write', 'ftruncate', 'fsync', 'renameat'])(
    'the exit record is written once a disk that refuses its %s takes it again',
    async (call) => {
      for (const error of ['ENOSPC', 'EIO']) {
        const gate = { timeoutMs: 10_000 };
        const of = scratchRecord(base, ++counter, ['sh', '-c', 'read x; exit 5'], { env, gate });
        const shim = await supervisor.start(of);
        await shim.held();
        // of this file alone: the first two tries fail
        const only = ['-P', join(of.directory, 'exit.json.new'), '-P', of.directory];
        const inject = ['-o', '/dev/null', ...only, '-e', `inject=${call}:error=${error}:when=1..2`];
        await traced(shim.pid, inject);
        await shim.go();
        expect(await shim.wait()).toMatchObject({ code: 5, by: 'task' });
        const file = join(of.directory, 'exit.json');
        for (let i = 0; i < 1000 && !existsSync(file); i++) await pause(10);
        expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ code: 5 });
        await shim.shutdown();
        await invariants.check(of);
      }
    },
    60_000,
  );

  describe('of the process that rotates output', () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${String(i).padStart(9, '0')}\n`).join('');
    const writing = async (options: (pid: number) => readonly string[]) => {
      const at = ++counter;
      const files = { directory: base, stdout: `t${at}.stdout`, stderr: `t${at}.stderr`, maxFiles: 100 };
      const of = scratchRecord(base, at, ['sh', '-c', 'seq -f %09.0f 0 1499; sleep 0.05; seq -f %09.0f 1500 2999'], {
        env,
        gate: { timeoutMs: 10_000 },
        output: { mode: 'rotate', ...files, maxBytes: 4000 },
      });
      const shim = await supervisor.start(of);
      await shim.held();
      const children = readFileSync(`/proc/${shim.pid}/task/${shim.pid}/children`, 'utf8').trim().split(' ');
      const scribe = children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'drover-scribe\n');
      const tracing = await traced(Number(scribe), options(Number(scribe)));
      await shim.go();
      const end = await shim.wait();
      await shim.shutdown();
      await tracing.ended;
      if (end.unknown !== null) throw new Error(end.unknown);
      await invariants.check(of);
      const stored = readdirSync(base)
        .filter((name) => name.startsWith(`t${at}.stdout.`))
        .sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)))
        .map((name) => readFileSync(join(base, name), 'latin1'));
      return { end, stored };
    };

    test('a kill loses and doubles nothing', async () => {
      const trace = join(base, 'rotation-trace');
      const whole = await writing(() => ['-o', trace]);
      expect(whole.stored.join('')).toBe(lines);
      expect(whole.stored.length).toBeGreaterThan(5);
      for (const point of sample(pointsOf(trace), 16)) {
        const { end, stored } = await writing(() => killing(point));
        expect([...point, stored.join('') === lines, end.stdout]).toEqual([
          ...point,
          true,
          { stored: BigInt(lines.length), dropped: 0n },
        ]);
      }
    }, 300_000);

    test.each(['openat', 'write', 'unlinkat'])(
      'a disk that refuses its %s costs what is counted, and nothing is out of order',
      async (call) => {
        for (const error of ['ENOSPC', 'EIO', 'EDQUOT'].slice(0, long ? 3 : 1)) {
          const { end, stored } = await writing(() => [
            '-o',
            '/dev/null',
            '-e',
            `inject=${call}:error=${error}:when=2..3`,
          ]);
          const bytes = stored.join('').length;
          expect([end.stdout.stored, end.stdout.stored + end.stdout.dropped]).toEqual([
            BigInt(bytes),
            BigInt(lines.length),
          ]);
          expect(end.code).toBe(0);
          // each file is a piece of what was written, the files in order
          let from = 0;
          for (const file of stored) {
            const at = lines.indexOf(file, from);
            expect(at).toBeGreaterThanOrEqual(from);
            from = at + file.length;
          }
        }
      },
      60_000,
    );
  });

  test('of a recovery a killed agent leaves the task as it was, for the next to find', async () => {
    const script = join(base, 'recovery.mjs');
    const module = pathToFileURL(join(compiled.directory, 'supervise/supervisor.js')).href;
    writeFileSync(
      script,
      `import { readSync } from 'node:fs';
       import { access } from 'node:fs/promises';
       import { createSupervisor } from ${JSON.stringify(module)};
       const supervisor = createSupervisor({ kind: 'native' });
       await access('/');
       process.stdout.write('ready');
       readSync(0, Buffer.alloc(1));
       const found = await supervisor.recover(process.argv[2]);
       await found.shim.status();
       process.exit(0);`,
    );
    const recovery = async (directory: string, thread: 'main' | 'files', options: readonly string[]) => {
      const agent = spawn(process.execPath, [script, directory], {
        env: { PATH: '/usr/bin:/bin', UV_THREADPOOL_SIZE: '1' },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const over = event(agent, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      await event(agent.stdout, 'data');
      // the one thread that works on files was made last
      const threads = readdirSync(`/proc/${agent.pid}/task`).map(Number);
      const tracing = await traced(thread === 'main' ? agent.pid! : Math.max(...threads), options);
      agent.stdin.on('error', () => {});
      agent.stdin.write('\n');
      const [code, signal] = await over;
      await tracing.ended;
      return signal ?? code;
    };
    const { of, shim } = await running();
    const before = await shim.status();
    let killed = 0;
    for (const thread of ['main', 'files'] as const) {
      const trace = join(base, `recovery-${thread}`);
      expect(await recovery(shim.directory, thread, ['-o', trace])).toBe(0);
      for (const point of sample(pointsOf(trace), 10)) {
        if ((await recovery(shim.directory, thread, killing(point))) === 'SIGKILL') killed++;
        const found = await supervisor.recover(shim.directory);
        if (found.state !== 'present') throw new Error(`${point.join(' ')}: ${found.state}`);
        const status = await found.shim.status();
        expect([status.state, status.pid, status.startTime]).toEqual(['running', before.pid, before.startTime]);
        found.shim.close();
        await invariants.check(of);
      }
    }
    expect(killed).toBeGreaterThan(5);
    expect(await stopAndLeave(shim)).toMatchObject({ by: 'stop', code: 9 });
    expect(await goneMark()).toBe('');
    await invariants.check(of);
  }, 300_000);
});
