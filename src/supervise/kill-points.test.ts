import { spawn, spawnSync } from 'node:child_process';
import { once as event } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { StartRecord } from './contract.ts';
import { SupervisionInvariants } from './invariants.ts';
import { locateNative } from './locate.ts';
import { writeIntent } from './record-directory.ts';
import { scratchRecord } from './scratch-record.ts';
import { NativeSpawner } from './spawner.ts';
import { encodeStart } from './start-fields.ts';
import { createSupervisor } from './supervisor.ts';
import { encodeVerify } from './verify-fields.ts';
import { encodeFrame, u32 } from './wire.ts';

/**
 * `kill -9` at every system call of a start: of the shim, of the helper that forks shims, of the agent; after each the invariants of
 * supervision are checked. `DROVER_LONG=1` tries every point, otherwise a sample.
 */

const shim = locateNative('drover-shim') ?? '';
const verifier = locateNative('drover-verify') ?? '';
const long = process.env['DROVER_LONG'] === '1';
const has = (program: string) => spawnSync('which', [program]).status === 0;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const system = ['/usr', '/bin', '/lib', '/lib64', '/etc'].filter((path) => existsSync(path));
const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** `read 3`: the third call of read; strace counts the calls of each kind for itself. */
type Point = readonly [call: string, when: number];

function pointsOf(trace: string): Point[] {
  const counts = new Map<string, number>();
  return [...trace.matchAll(/^([a-z_0-9]+)\(/gm)].map(([, call = '']) => {
    counts.set(call, (counts.get(call) ?? 0) + 1);
    return [call, counts.get(call) as number] as const;
  });
}

/** Command lines with this very word, as root of any user. */
const marked = (word: string) =>
  spawnSync('sh', ['-c', `grep -lz '^${word}$' /proc/[0-9]*/cmdline`], { encoding: 'utf8' }).stdout.trim();

async function gone(word: string): Promise<string> {
  for (let i = 0; i < 100 && marked(word) !== ''; i++) await pause(10);
  return marked(word);
}

describe.skipIf(shim === '' || !has('strace'))('kill -9 at any system call', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-points-'));
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

  const traced = (of: StartRecord, trace: string, ...options: string[]) => {
    mkdirSync(of.directory, { mode: 0o700 });
    const intent = { version: 1, id: of.id, bootId: bootId(), killUnit: of.killUnit };
    writeFileSync(join(of.directory, 'start.json'), JSON.stringify(intent));
    // The shim alone is traced: its child's calls are not counted.
    return spawnSync('strace', ['-o', trace, ...options, shim, 'run'], {
      input: encodeFrame(1, u32(1), encodeStart(of)),
      timeout: 3_000,
      killSignal: 'SIGKILL',
    });
  };

  test('a task that ends at once is told by its own end, however late the shim looks for it', async () => {
    const command = ['sh', '-c', 'kill -KILL $$'];
    const verified = { verify: encodeVerify({ nonce: 'n', command, env, identity: {} }) };
    for (const kind of ['session', 'pid-namespace'] as const) {
      const killUnit = kind === 'session' ? { kind } : { kind, mountProc: true };
      for (const more of [{}, verified]) {
        const of = scratchRecord(base, ++counter, 'verify' in more ? [verifier, '3'] : command, {
          ...more,
          env,
          killUnit,
        });
        traced(of, '/dev/null', '-e', 'inject=waitid:delay_enter=30000');
        const found = await supervisor.recover(of.directory);
        if (found.state !== 'ended') throw new Error(`${kind}: ${found.state}`);
        expect([kind, more, found.end]).toEqual([
          kind,
          more,
          expect.objectContaining({ started: true, code: 137, signal: 9 }),
        ]);
        await invariants.check(of);
      }
    }
  });

  const gated = { env, gate: { timeoutMs: 300 } };
  const bwrap = [
    ...['bwrap', '--as-pid-1', '--info-fd', '4', '--unshare-user', '--unshare-pid'],
    ...system.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...['--ro-bind', verifier, '/tmp/72.75', '/tmp/72.75', '3'],
  ];
  const verify = encodeVerify({ nonce: 'n', command: ['sleep', '72.75'], env, identity: {} });
  const ways: [string, string, boolean, readonly string[], Partial<StartRecord>][] = [
    ['a direct start', '72.5', true, ['sleep', '72.5'], gated],
    [
      'a start in a pid namespace',
      '72.25',
      true,
      ['sleep', '72.25'],
      { ...gated, killUnit: { kind: 'pid-namespace', mountProc: true } },
    ],
    ['a start by bwrap', '/tmp/72.75', has('bwrap'), bwrap, { ...gated, launcher: { kind: 'bwrap' }, verify }],
  ];

  describe.each(ways.filter(([, , there]) => there))('of the shim, in %s,', (name, word, _there, command, more) => {
    test('leaves no process behind and no invented code', async () => {
      const held = () => scratchRecord(base, ++counter, command, more);
      const trace = join(base, 'trace');
      const whole = held();
      traced(whole, trace);
      await supervisor.recover(whole.directory);
      const points = pointsOf(readFileSync(trace, 'utf8'));
      // The launcher is at work while the shim waits: there every point counts.
      const forked = points.findIndex(([call]) => call === 'clone' || call === 'fork');
      const outcomes = new Set<string>();
      for (const [at, [call, when]] of points.entries()) {
        if (!long && at % 9 !== 0 && !(name === 'a start by bwrap' && at > forked && at % 3 === 0)) continue;
        const of = held();
        traced(of, '/dev/null', '-e', `inject=${call}:signal=KILL:when=${when}`);
        const found = await supervisor.recover(of.directory);
        const unknown = found.state === 'ended' ? (found.end.unknown ?? found.end.by) : '';
        outcomes.add(`${found.state} ${unknown}`);
        expect([call, when, await gone(word)]).toEqual([call, when, '']);
        expect(['never-started ', 'ended shim-lost', 'ended never-started']).toContain(`${found.state} ${unknown}`);
        await invariants.check(of);
      }
      expect([...outcomes]).toContain('never-started ');
      expect([...outcomes]).toContain('ended shim-lost');
    }, 300_000);
  });

  /** What was started by someone who is dead now: once or not at all, and the directory says which. Ends it. */
  async function verdict(of: StartRecord): Promise<string> {
    // What was under way without the dead one comes to rest.
    await pause(100);
    const found = await supervisor.recover(of.directory);
    const status = found.state === 'present' ? await found.shim.status() : null;
    if (found.state === 'present') {
      await found.shim.stop({ timeoutMs: 500 });
      const end = await found.shim.wait();
      await found.shim.shutdown();
      expect(end.unknown).toBeNull();
    }
    const ran = existsSync(`${of.directory}.ran`) ? readFileSync(`${of.directory}.ran`, 'utf8') : '';
    expect(await gone('71.75')).toBe('');
    expect(ran).toBe(status?.state === 'running' ? 'ran\n' : '');
    await invariants.check(of);
    return status === null ? found.state : `present, ${status.state}`;
  }

  const once = () => {
    const of = scratchRecord(base, ++counter, [], { env, gate: { timeoutMs: 5000 }, output: { mode: 'discard' } });
    return { ...of, command: ['sh', '-c', `echo ran >> ${of.directory}.ran; exec sleep 71.75`] };
  };

  test('of the helper that forks shims leaves each task once, or not at all', async () => {
    const trace = join(base, 'helper-trace');
    const start = async (of: StartRecord, options: string) => {
      const program = join(base, 'helper.sh');
      writeFileSync(program, `#!/bin/sh\nexec strace -o ${trace} ${options} ${shim} "$@"\n`, { mode: 0o755 });
      const spawner = new NativeSpawner(program);
      await writeIntent(of);
      await spawner.spawn(encodeStart(of)).then(
        () => invariants.acknowledge(of),
        () => {},
      );
      await spawner.close();
    };
    const whole = once();
    await start(whole, '');
    expect(await verdict(whole)).toBe('present, held');
    const points = pointsOf(readFileSync(trace, 'utf8'));
    const outcomes = new Set<string>();
    for (const [at, [call, when]] of points.entries()) {
      if (!long && at % 4 !== 0) continue;
      const of = once();
      await start(of, `-e inject=${call}:signal=KILL:when=${when}`);
      outcomes.add(await verdict(of));
    }
    expect([...outcomes].sort()).toEqual(['never-started', 'present, held']);
  }, 300_000);

  describe('of an agent, from before the intent to the running task,', () => {
    /** Runs one start in an agent of its own, with strace on these of its threads. */
    async function startIn(of: StartRecord, options: { main?: readonly string[]; files?: readonly string[] }) {
      const script = join(base, 'agent.mjs');
      const module = pathToFileURL(join(compiled.directory, 'supervise/supervisor.js')).href;
      writeFileSync(
        script,
        `import { readFileSync, readSync } from 'node:fs';
         import { access } from 'node:fs/promises';
         import { createSupervisor } from ${JSON.stringify(module)};
         const supervisor = createSupervisor({ kind: 'native' });
         const record = JSON.parse(readFileSync(process.argv[2], 'utf8'));
         await access('/');
         process.stdout.write('ready');
         readSync(0, Buffer.alloc(1));
         const shim = await supervisor.start(record);
         await shim.held(); await shim.go();
         process.exit(0);`,
      );
      writeFileSync(`${of.directory}.json`, JSON.stringify(of));
      const agent = spawn(process.execPath, [script, `${of.directory}.json`], {
        env: { ...env, UV_THREADPOOL_SIZE: '1' },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const over = new Promise<NodeJS.Signals | null>((resolve) => agent.once('exit', (_, signal) => resolve(signal)));
      await event(agent.stdout, 'data');
      // The one thread that works on files was made last.
      const threads = readdirSync(`/proc/${agent.pid}/task`).map(Number);
      const tracing = [];
      for (const [thread, more] of [
        [agent.pid, options.main] as const,
        [Math.max(...threads), options.files] as const,
      ]) {
        if (more === undefined) continue;
        const tracer = spawn('strace', ['-p', `${thread}`, ...more], { stdio: ['ignore', 'ignore', 'pipe'] });
        tracing.push(new Promise((resolve) => tracer.once('exit', resolve)));
        await event(tracer.stderr, 'data');
      }
      agent.stdin.on('error', () => {});
      agent.stdin.write('\n');
      const signal = await over;
      await Promise.all(tracing);
      return signal;
    }

    test('leaves each task once, or not at all', async () => {
      const whole = once();
      const traces = { main: join(base, 'main-trace'), files: join(base, 'files-trace') };
      await startIn(whole, { main: ['-o', traces.main], files: ['-o', traces.files] });
      expect(await verdict(whole)).toBe('present, running');
      const points = (['files', 'main'] as const).flatMap((thread) =>
        pointsOf(readFileSync(traces[thread], 'utf8')).map((point) => [thread, ...point] as const),
      );
      expect(points.map(([, call]) => call)).toEqual(
        expect.arrayContaining(['mkdir', 'openat', 'write', 'fsync', 'close']),
      );
      const outcomes = new Map<string, number>();
      let tried = 0;
      let killed = 0;
      for (const [at, [thread, call, when]] of points.entries()) {
        if (!long && at % 8 !== 0) continue;
        const of = once();
        const options = ['-o', '/dev/null', '-e', `inject=${call}:signal=KILL:when=${when}`];
        tried += 1;
        killed += (await startIn(of, { [thread]: options })) === 'SIGKILL' ? 1 : 0;
        const outcome = await verdict(of);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // The last waits of a thread are not the same number in each run.
      expect(killed / tried).toBeGreaterThan(0.8);
      const possible = ['absent', 'never-started', 'present, held', 'present, running'];
      expect([...outcomes.keys()].filter((each) => !possible.includes(each))).toEqual([]);
      if (long) expect(outcomes.size).toBe(4);
    }, 600_000);
  });
});
