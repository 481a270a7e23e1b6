import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { ExitRecord, ShimExec, StartRecord, Supervisor } from './contract.ts';
import { locateNative } from './locate.ts';
import { endOf, scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';
import { isAlive, startTimeOf } from './this-host.ts';

/** One suite, run by both shims. What only one can do is listed here with the reason. */

const root = fileURLToPath(new URL('../../', import.meta.url));
let compiled: ReturnType<typeof compiledCopy>;
const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
const { SIGTERM, SIGKILL, SIGSEGV, SIGUSR1 } = constants.signals;
const base = mkdtempSync(join(tmpdir(), 'drover-shim-'));
let counter = 0;

beforeAll(() => {
  compiled = compiledCopy();
}, 60_000);

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
  compiled.remove();
});

function directory(): string {
  counter += 1;
  return join(base, `r${counter}`);
}

const kinds = ['native', 'typescript'] as const;
type Kind = (typeof kinds)[number];

function supervisorOf(kind: Kind): Supervisor {
  return createSupervisor({ kind, fallbackProgram: join(compiled.directory, 'supervise/fallback/main.js') });
}

const record = (command: readonly string[], more?: Partial<StartRecord>) =>
  scratchRecord(base, ++counter, command, more);
const sh = (script: string, more?: Partial<StartRecord>) => record(['sh', '-c', script], more);

function log(of: StartRecord, stream: 'stdout' | 'stderr', index = 0): string {
  if (of.output.mode !== 'rotate') throw new Error('no files');
  return readFileSync(join(of.output.directory, `${of.output[stream]}.${index}`), 'utf8');
}

async function text(exec: ShimExec): Promise<{ stdout: string; stderr: string }> {
  const got = { stdout: '', stderr: '' };
  for await (const chunk of exec.output) got[chunk.stream] += Buffer.from(chunk.data).toString();
  return got;
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (
    const deadline = Date.now() + 8000;
    !(await condition());
    await new Promise((resolve) => setTimeout(resolve, 10))
  ) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
  }
}

describe.each(kinds)('the %s shim', (kind) => {
  let supervisor: Supervisor;
  const onlyNative = test.skipIf(kind === 'typescript');

  beforeAll(() => {
    if (kind === 'native' && locateNative('drover-shim') === null)
      execFileSync(process.execPath, [join(root, 'scripts/build-native.mjs')]);
    supervisor = supervisorOf(kind);
  });
  afterAll(() => supervisor.close());

  async function run(of: StartRecord): Promise<ExitRecord> {
    const shim = await supervisor.start(of);
    const ended = await endOf(shim);
    await shim.shutdown();
    return ended;
  }

  describe('the exit record', () => {
    test('carries the exit code, both times and the ledger', async () => {
      const of = sh('echo out; echo err >&2; exit 3');
      const before = BigInt(Date.now() - 1000) * 1_000_000n;
      const ended = await run(of);
      expect(ended).toMatchObject({
        started: true,
        code: 3,
        signal: 0,
        by: 'task',
        oomKilled: false,
        leftover: 0,
        error: null,
      });
      expect(ended.stdout).toEqual({ stored: 4n, dropped: 0n });
      expect(ended.startedAt).toBeGreaterThan(before);
      expect(ended.finishedAt).toBeGreaterThanOrEqual(ended.startedAt);
      expect([log(of, 'stdout'), log(of, 'stderr')]).toEqual(['out\n', 'err\n']);
    });

    test('tells exit 137, a real SIGKILL and a real SIGSEGV apart', async () => {
      const told = await Promise.all(['exit 137', 'kill -KILL $$', 'kill -SEGV $$'].map((script) => run(sh(script))));
      expect(told.map(({ code, signal }) => `${code}/${signal}`)).toEqual([
        '137/0',
        `137/${SIGKILL}`,
        `139/${SIGSEGV}`,
      ]);
    });

    test('says 127 and ENOENT where the command is not there, 126 where it cannot be executed, and that nothing started', async () => {
      const missing = await run(record(['/does/not/exist']));
      expect(missing).toMatchObject({
        started: false,
        code: 127,
        by: 'start-failed',
        error: { stage: 'execve', errno: 2 },
      });
      const plain = join(base, 'plain');
      writeFileSync(plain, 'x', { mode: 0o644 });
      expect(await run(record([plain]))).toMatchObject({
        started: false,
        code: 126,
        by: 'start-failed',
        error: { errno: 13 },
      });
    });

    test('is told to a client that connects after the end, and found on disk after the shim is gone', async () => {
      const of = sh('exit 9');
      const shim = await supervisor.start(of);
      await endOf(shim);
      shim.close();
      const again = await supervisor.recover(of.directory);
      expect(again.state).toBe('ended');
      expect(again.state === 'ended' && again.end).toMatchObject({ code: 9 });
      await until('shim let go', () => startTimeOf(shim.pid) === 0n);
      await shim.shutdown();
    });

    test('is the same for every one of many waits and clients', async () => {
      const of = sh('sleep 0.2; exit 4');
      const one = await supervisor.start(of);
      const recovered = await supervisor.recover(of.directory);
      if (recovered.state !== 'present') throw new Error(recovered.state);
      const ends = await Promise.all([one.wait(), one.wait(), recovered.shim.wait(), recovered.shim.wait()]);
      expect(ends.map((each) => each.unknown === null && each.code)).toEqual([4, 4, 4, 4]);
      await one.shutdown();
    });
  });

  describe('a stop', () => {
    test('sends its signal and says so', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      await shim.stop({ signal: SIGTERM, timeoutMs: 5000 });
      expect(await endOf(shim)).toMatchObject({ by: 'stop', code: 128 + SIGTERM, signal: SIGTERM });
      await shim.shutdown();
    });

    test('kills what ignores the signal once the time is over', async () => {
      const of = sh('trap "" TERM; echo ready; while :; do sleep 0.1; done');
      const shim = await supervisor.start(of);
      await until('trap set', async () => (await shim.status()).stdout.stored > 0n);
      const from = Date.now();
      await shim.stop({ signal: SIGTERM, timeoutMs: 300 });
      expect(await endOf(shim)).toMatchObject({ by: 'kill', signal: SIGKILL });
      expect(Date.now() - from).toBeGreaterThan(250);
      expect(Date.now() - from).toBeLessThan(3000);
      await shim.shutdown();
    });

    test('may be shortened by a second one', async () => {
      const shim = await supervisor.start(sh('trap "" TERM; echo ready; while :; do sleep 0.1; done'));
      await until('trap set', async () => (await shim.status()).stdout.stored > 0n);
      await shim.stop({ timeoutMs: 60_000 });
      await shim.stop({ timeoutMs: 0 });
      expect(await endOf(shim)).toMatchObject({ by: 'kill' });
      await shim.shutdown();
    });

    test('takes along what the task left in its process group', async () => {
      const of = sh('sleep 61.25 & echo $!; wait');
      const shim = await supervisor.start(of);
      await until('child', async () => (await shim.status()).stdout.stored > 0n);
      const child = Number(log(of, 'stdout'));
      await shim.stop({ timeoutMs: 2000 });
      await endOf(shim);
      await until('child gone', () => startTimeOf(child) === 0n);
      await shim.shutdown();
    });

    // Node can be no subreaper.
    onlyNative('takes along what has daemonised itself with an empty environment', async () => {
      const of = sh("setsid env -i sh -c 'echo $$; exec sleep 62.5' & sleep 60");
      const shim = await supervisor.start(of);
      await until('daemon', async () => (await shim.status()).stdout.stored > 0n);
      const daemon = Number(log(of, 'stdout'));
      expect(startTimeOf(daemon)).not.toBe(0n);
      await shim.stop({ timeoutMs: 1000 });
      await endOf(shim);
      expect(startTimeOf(daemon)).toBe(0n);
      await shim.shutdown();
    });
  });

  test('a signal reaches the task; a task that ends by it says so', async () => {
    const of = sh('trap "echo got" USR1; echo ready; while :; do sleep 0.05; done');
    const shim = await supervisor.start(of);
    await until('trap set', async () => (await shim.status()).stdout.stored > 0n);
    await shim.signal(SIGUSR1);
    await until('got', () => log(of, 'stdout').includes('got'));
    await shim.signal(SIGKILL);
    expect(await endOf(shim)).toMatchObject({ by: 'signal', signal: SIGKILL });
    await expect(shim.signal(SIGTERM)).rejects.toMatchObject({ kind: 'conflict' });
    await shim.shutdown();
  });

  describe('a held start', () => {
    test('runs nothing before go', async () => {
      const of = sh('echo ran; sleep 60', { gate: { timeoutMs: 20_000 } });
      const shim = await supervisor.start(of);
      const status = await shim.held();
      expect(status.state).toBe('held');
      expect(status.pid).toBeGreaterThan(1);
      expect(isAlive(status.pid, status.startTime)).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect((await shim.status()).stdout.stored).toBe(0n);
      await shim.go();
      await until('ran', async () => (await shim.status()).stdout.stored > 0n);
      await expect(shim.go()).rejects.toMatchObject({ kind: 'conflict' });
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('that is never released ends as never started', async () => {
      const shim = await supervisor.start(sh('echo ran', { gate: { timeoutMs: 200 } }));
      expect(await endOf(shim)).toMatchObject({
        started: false,
        by: 'never-started',
        stdout: { stored: 0n, dropped: 0n },
      });
      await expect(shim.held()).rejects.toMatchObject({ kind: 'unavailable' });
      await shim.shutdown();
    });

    test('that is stopped ends as never started', async () => {
      const shim = await supervisor.start(sh('echo ran', { gate: { timeoutMs: 20_000 } }));
      await shim.held();
      await shim.stop();
      expect(await endOf(shim)).toMatchObject({ started: false, by: 'never-started' });
      await shim.shutdown();
    });
  });

  describe('the task', () => {
    test('gets its environment, its directory and its umask', async () => {
      const more = { env: { ...env, A: 'b = c\n2' }, workDir: '/usr', identity: { umask: 0o027 } };
      const of = sh('env | sort; pwd; umask', more);
      await run(of);
      const lines = log(of, 'stdout')
        .split('\n')
        .filter((line) => !/^(_|PWD|OLDPWD|SHLVL)=/.test(line));
      expect(lines).toEqual(['2', 'A=b = c', `PATH=${env.PATH}`, '/usr', '0027', '']);
    });

    test.skipIf(process.platform !== 'linux')('has descriptors 0 to 2 and nothing else', async () => {
      const shim = await supervisor.start(record(['sleep', '60']));
      const { pid } = await shim.held();
      await until('executed', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
      expect(readdirSync(`/proc/${pid}/fd`).sort()).toEqual(['0', '1', '2']);
      expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe('/dev/null');
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('has default dispositions and blocks no signal', async () => {
      const of = record(['grep', '-E', 'SigBlk|SigIgn', '/proc/self/status']);
      await run(of);
      expect(log(of, 'stdout').replaceAll(/[\s0]/g, '')).toBe('SigBlk:SigIgn:');
    });

    test.skipIf(process.getuid?.() !== 0)('is the user it should be, with no other group', async () => {
      const of = record(['id'], { identity: { uid: 12_345, gid: 12_346 } });
      await run(of);
      expect(log(of, 'stdout')).toMatch(/^uid=12345 gid=12346 groups=12346\n/);
    });

    test('has the limits it should have', async () => {
      const of = sh('ulimit -n; ulimit -c', {
        identity: {
          rlimits: [
            { resource: 7, soft: 77n, hard: 99n },
            { resource: 4, soft: 0n, hard: 0n },
          ],
        },
      });
      await run(of);
      expect(log(of, 'stdout')).toBe('77\n0\n');
    });

    test('gains no privileges where that is asked', async () => {
      const of = record(['grep', 'NoNewPrivs', '/proc/self/status'], { identity: { noNewPrivs: true } });
      await run(of);
      expect(log(of, 'stdout')).toBe('NoNewPrivs:\t1\n');
    });

    test.skipIf(kind === 'typescript' || process.getuid?.() !== 0)(
      'keeps exactly the capabilities it is given, in all five sets',
      async () => {
        const of = record(['grep', 'Cap', '/proc/self/status'], {
          identity: { uid: 12_345, gid: 12_345, capabilities: 1n << 10n },
        });
        await run(of);
        expect(log(of, 'stdout').match(/0000000000000400/g)).toHaveLength(5);
      },
    );
  });

  describe('output', () => {
    test('is rotated by size and count, in order, and every byte is counted', async () => {
      const of = sh('i=0; while [ $i -lt 2000 ]; do printf "%09d\\n" $i; i=$((i+1)); done', {});
      const output = { ...of.output, maxBytes: 3000, maxFiles: 3 } as StartRecord['output'];
      const ended = await run({ ...of, output });
      expect(ended.stdout).toEqual({ stored: 20_000n, dropped: 0n });
      const files = readdirSync(base)
        .filter((name) => name.startsWith(`t${counter}.stdout.`))
        .sort();
      expect(files).toEqual([4, 5, 6].map((index) => `t${counter}.stdout.${index}`));
      const kept = files.map((name) => readFileSync(join(base, name), 'utf8')).join('');
      expect(kept).toBe(
        Array.from({ length: 2000 }, (_, i) => `${String(i).padStart(9, '0')}\n`)
          .join('')
          .slice(12_000),
      );
    });

    test('goes on in the file with the highest index', async () => {
      const first = sh('echo one');
      await run(first);
      const second = { ...sh('echo two'), output: first.output };
      await run(second);
      expect(log(first, 'stdout')).toBe('one\ntwo\n');
    });

    test('larger than any pipe arrives whole', async () => {
      const of = sh('head -c 9000000 /dev/zero; echo end >&2');
      const ended = await run({ ...of, output: { ...of.output, maxBytes: 10_000_000 } as StartRecord['output'] });
      expect(ended.stdout).toEqual({ stored: 9_000_000n, dropped: 0n });
      expect(log(of, 'stdout').length).toBe(9_000_000);
    });

    test('never follows a link that the task has put in the way', async () => {
      const victim = join(base, `victim${counter}`);
      writeFileSync(victim, 'precious');
      const of = sh('echo out');
      symlinkSync(victim, join(base, `t${counter}.stdout.0`));
      await run(of);
      expect(readFileSync(victim, 'utf8')).toBe('precious');
      expect(log(of, 'stdout')).toBe('out\n');
    });

    test.skipIf(process.platform !== 'linux')(
      'is written to no other directory, where the task has put a link in place of its own',
      async () => {
        const elsewhere = `${directory()}-elsewhere`;
        const logs = `${elsewhere}-logs`;
        mkdirSync(elsewhere);
        writeFileSync(join(elsewhere, 't.stdout.0'), 'theirs');
        symlinkSync(elsewhere, logs);
        const output = {
          mode: 'rotate',
          directory: logs,
          stdout: 't.stdout',
          stderr: 't.stderr',
          maxFiles: 1,
        } as const;
        await expect(run(sh('echo out', { output: { ...output, maxBytes: 2 } }))).rejects.toThrow();
        unlinkSync(logs);
        mkdirSync(logs);
        const swapped = `${logs}-before`;
        const of = sh(`sleep 0.2; mv ${logs} ${swapped}; ln -s ${elsewhere} ${logs}; echo out`, {
          output: { ...output, maxBytes: 2 },
        });
        await run(of);
        expect(readFileSync(join(swapped, 't.stdout.1'), 'utf8')).toBe('t\n');
        expect(readdirSync(elsewhere)).toEqual(['t.stdout.0']);
        expect(readFileSync(join(elsewhere, 't.stdout.0'), 'utf8')).toBe('theirs');
      },
    );

    test('that cannot be stored is dropped and counted, and the task goes on', async () => {
      const of = sh('head -c 100000 /dev/zero; echo done >&2; exit 5');
      const full = '/dev/full';
      if (!existsSync(full)) return;
      // A directory that vanishes under the shim: each file that would be made fails.
      const gone = mkdtempSync(join(base, 'gone-'));
      const shim = await supervisor.start({
        ...of,
        gate: { timeoutMs: 20_000 },
        output: { ...of.output, directory: gone, maxBytes: 1000 } as StartRecord['output'],
      });
      await shim.held();
      rmSync(gone, { recursive: true });
      await shim.go();
      const ended = await endOf(shim);
      expect(ended.code).toBe(5);
      expect(ended.stdout.dropped).toBeGreaterThan(90_000n);
      expect(ended.stdout.stored + ended.stdout.dropped).toBe(100_000n);
      await shim.shutdown();
    });

    test('can be forwarded to two FIFOs of someone else', async () => {
      const [out, err] = [join(base, `f${counter}.out`), join(base, `f${counter}.err`)];
      execFileSync('mkfifo', [out, err]);
      const reading = execReader([out, err]);
      const ended = await run(sh('echo o; echo e >&2', { output: { mode: 'forward', stdout: out, stderr: err } }));
      expect(ended.stdout.stored).toBe(2n);
      expect((await reading).split('\n').sort()).toEqual(['', 'e', 'o']);
    });

    test('forwarded to a FIFO nobody reads does not block the task', async () => {
      const [out, err] = [join(base, `g${counter}.out`), join(base, `g${counter}.err`)];
      execFileSync('mkfifo', [out, err]);
      const ended = await run(
        sh('head -c 5000000 /dev/zero; exit 6', { output: { mode: 'forward', stdout: out, stderr: err } }),
      );
      expect(ended.code).toBe(6);
      expect(ended.stdout.stored + ended.stdout.dropped).toBe(5_000_000n);
      expect(ended.stdout.dropped).toBeGreaterThan(1_000_000n);
    });

    test('of a task that someone else runs is collected, across writers', async () => {
      const of = record([], { launcher: { kind: 'none' } });
      const fifos = { stdoutFifo: join(base, `c${counter}.out`), stderrFifo: join(base, `c${counter}.err`) };
      const shim = await supervisor.start({
        ...of,
        output: { ...of.output, mode: 'collect', ...fifos } as StartRecord['output'],
      });
      for (const word of ['one', 'two']) execFileSync('sh', ['-c', `echo ${word} > ${fifos.stdoutFifo}`]);
      await until('collected', async () => (await shim.status()).stdout.stored === 8n);
      await shim.stop();
      expect(await endOf(shim)).toMatchObject({ by: 'stop', code: 0 });
      expect(log(of, 'stdout')).toBe('one\ntwo\n');
      // one that nobody reads would hold who opens it for ever
      for (const path of Object.values(fifos)) expect(existsSync(path)).toBe(false);
      await shim.shutdown();
    });

    test('held open by something that outlives the main process is drained for a bounded time', async () => {
      const of = sh('sleep 63 & echo main; exit 2');
      const from = Date.now();
      expect((await run(of)).code).toBe(2);
      expect(Date.now() - from).toBeLessThan(5000);
    });
  });

  describe('exec', () => {
    test('runs a command beside the task and tells its output and end', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const exec = await shim.exec({ command: ['sh', '-c', 'cat; echo err >&2; exit 7'], env });
      await exec.writeStdin(Buffer.from('in'));
      await exec.closeStdin();
      expect(await text(exec)).toEqual({ stdout: 'in', stderr: 'err\n' });
      expect(await exec.exit).toEqual({ exitCode: 7, signal: 0, oomKilled: false });
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('carries more than every buffer both ways without losing a byte', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const exec = await shim.exec({ command: ['cat'], env });
      const data = Buffer.alloc(3_000_000, 'abcdefg');
      const writing = exec.writeStdin(data).then(() => exec.closeStdin());
      const got = await text(exec);
      await writing;
      expect(got.stdout === data.toString()).toBe(true);
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('that nobody reads stands still, and the shim goes on answering', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const exec = await shim.exec({ command: ['sh', '-c', 'yes'], env });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect((await shim.status()).state).toBe('running');
      exec.signal(SIGKILL);
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('that is given up is killed', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const abort = new AbortController();
      const exec = await shim.exec({ command: ['sleep', '64'], env }, abort.signal);
      expect(startTimeOf(exec.pid)).not.toBe(0n);
      abort.abort();
      await until('killed', () => startTimeOf(exec.pid) === 0n);
      expect((await exec.exit).unknown).toBe('connection lost');
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('of what is not there, or in a task that is not, is refused with the reason', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      await expect(shim.exec({ command: ['/nope'], env })).rejects.toMatchObject({ kind: 'not_found' });
      await shim.stop();
      await endOf(shim);
      await expect(shim.exec({ command: ['true'], env })).rejects.toMatchObject({ kind: 'conflict' });
      await shim.shutdown();
    });

    test('leaves nothing in the shim, however many there were', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const descriptors = () => readdirSync(`/proc/${shim.pid}/fd`).length;
      const one = async () => {
        const exec = await shim.exec({ command: ['echo', 'x'], env });
        await Promise.all([text(exec), exec.exit]);
      };
      await one();
      await until('settled', () => true);
      const before = descriptors();
      for (let i = 0; i < 40; i++) await Promise.all([one(), one(), one()]);
      await until('as many descriptors as before', () => descriptors() <= before);
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    onlyNative('with a terminal has one of the size it should have, and is resized', async () => {
      const shim = await supervisor.start(sh('sleep 60'));
      await shim.held();
      const spec = {
        command: ['sh', '-c', 'stty size; read x; stty size; tty'],
        env,
        tty: true,
        size: { height: 11, width: 22 },
      };
      const exec = await shim.exec(spec);
      await exec.resize({ height: 33, width: 44 });
      await exec.writeStdin(Buffer.from('\n'));
      const { stdout } = await text(exec);
      expect(stdout).toMatch(/33 44\r\n\/dev\/pts\/[0-9]+\r\n$/);
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });
  });

  describe('recovery', () => {
    test('finds a running task again, in a new supervisor, with the same pid', async () => {
      const of = sh('sleep 60');
      const mine = supervisorOf(kind);
      const shim = await mine.start(of);
      const before = await shim.held();
      shim.close();
      await mine.close();
      const found = await supervisor.recover(of.directory);
      if (found.state !== 'present') throw new Error(found.state);
      const after = await found.shim.status();
      expect([after.pid, after.startTime]).toEqual([before.pid, before.startTime]);
      await found.shim.stop();
      await endOf(found.shim);
      await found.shim.shutdown();
      expect((await supervisor.recover(of.directory)).state).toBe('ended');
    });

    test('of a shim that was killed says unknown, never a code', async () => {
      const of = sh('sleep 65');
      const shim = await supervisor.start(of);
      const status = await shim.held();
      const waiting = shim.wait();
      process.kill(shim.pid, 'SIGKILL');
      expect(await waiting).toMatchObject({ unknown: 'shim-lost' });
      expect(await supervisor.recover(of.directory)).toMatchObject({ state: 'ended', end: { unknown: 'shim-lost' } });
      if (kind === 'native') await until('task gone with its shim', () => startTimeOf(status.pid) === 0n);
      else process.kill(status.pid, 'SIGKILL');
    });

    test('of a start from another boot says reboot and touches nothing', async () => {
      const of = sh('sleep 60');
      const shim = await supervisor.start(of);
      const { pid } = await shim.held();
      const intent = JSON.parse(readFileSync(join(of.directory, 'start.json'), 'utf8')) as Record<string, unknown>;
      writeFileSync(join(of.directory, 'start.json'), JSON.stringify({ ...intent, bootId: 'another' }));
      expect(await supervisor.recover(of.directory)).toMatchObject({ state: 'ended', end: { unknown: 'reboot' } });
      expect(startTimeOf(pid)).not.toBe(0n);
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('of an intent without a shim says never started, of no intent absent, of a torn record unreadable', async () => {
      const of = sh('true');
      execFileSync('mkdir', [of.directory]);
      expect(await supervisor.recover(of.directory)).toEqual({ state: 'absent' });
      writeFileSync(join(of.directory, 'start.json'), '{"version":1,"boo');
      expect(await supervisor.recover(of.directory)).toEqual({ state: 'absent' });
      const other = sh('true');
      await run(other);
      rmSync(join(other.directory, 'exit.json'));
      rmSync(join(other.directory, 'shim.pid'));
      expect(await supervisor.recover(other.directory)).toEqual({ state: 'never-started' });
      writeFileSync(join(other.directory, 'exit.json'), '{"version":1,"code":0');
      expect(await supervisor.recover(other.directory)).toMatchObject({
        state: 'ended',
        end: { unknown: 'record-unreadable' },
      });
    });

    test('works where the path of the record directory is longer than a socket address', async () => {
      const of = sh('exit 8');
      const long = join(of.directory, 'x'.repeat(100), 'y'.repeat(100));
      expect((await run({ ...of, directory: long })).code).toBe(8);
    });
  });

  test('a client that speaks no version of its own is told so and let go', async () => {
    const shim = await supervisor.start(sh('sleep 60'));
    const told = await new Promise<Buffer>((resolve, reject) => {
      const got: Buffer[] = [];
      const socket = connect(join(shim.directory, 'shim.sock'), () => socket.write(Buffer.from([0, 0, 0, 3, 1, 2, 9])));
      socket.on('data', (chunk) => got.push(chunk));
      socket.on('close', () => resolve(Buffer.concat(got)));
      socket.on('error', reject);
    });
    expect(told[4]).toBe(130);
    expect(told.subarray(9).toString()).toContain('"kind":"unsupported"');
    await shim.stop();
    await endOf(shim);
    await shim.shutdown();
  });

  test('a directory is used for one start only', async () => {
    const of = sh('true');
    await run(of);
    await expect(supervisor.start(of)).rejects.toMatchObject({ kind: 'exists' });
  });

  test('its directory holds what the protocol says, with modes that keep others out', async () => {
    const of = sh('true');
    await run(of);
    const names = readdirSync(of.directory)
      .filter((name) => name !== 'exit.json.new')
      .sort();
    expect(names).toEqual(['exit.json', 'shim.pid', 'start.json']);
    expect(statSync(of.directory).mode & 0o777).toBe(0o700);
    for (const name of names) expect(statSync(join(of.directory, name)).mode & 0o077).toBe(0);
    expect(readFileSync(join(of.directory, 'start.json'), 'utf8')).not.toContain(env.PATH);
  });

  test('a shutdown is refused while the task is there', async () => {
    const shim = await supervisor.start(sh('sleep 60'));
    await expect(shim.shutdown()).rejects.toMatchObject({ kind: 'conflict' });
    await shim.stop();
    await endOf(shim);
    await shim.shutdown();
    await until('shim gone', () => startTimeOf(shim.pid) === 0n);
  });

  test('what a record asks that it cannot be is refused by name, and nothing runs', async () => {
    await expect(supervisor.start(sh('true', { env: { 'A=B': 'c' } }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(supervisor.start(sh('true\0false'))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(supervisor.start(record([]))).rejects.toMatchObject({ kind: 'invalid' });
    if (kind === 'typescript') {
      await expect(supervisor.start(sh('true', { identity: { capabilities: 0n } }))).rejects.toThrow(/capabilities/);
    }
  });
});

function execReader(paths: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const script = 'head -n1 "$2" & head -n1 "$1"; wait';
    execFile('sh', ['-c', script, 'sh', ...paths], (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
}
