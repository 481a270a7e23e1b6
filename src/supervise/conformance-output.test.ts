import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { conformance, log, until } from './conformance-kit.ts';
import type { StartRecord } from './contract.ts';
import { endOf } from './scratch-record.ts';

/** The suite of both shims: what becomes of output. */
conformance((suite) => {
  const { base, record, sh, run } = suite;

  describe('output', () => {
    test('is rotated by size and count, in order, and every byte is counted', async () => {
      const of = sh('i=0; while [ $i -lt 2000 ]; do printf "%09d\\n" $i; i=$((i+1)); done', {});
      const output = { ...of.output, maxBytes: 3000, maxFiles: 3 } as StartRecord['output'];
      const ended = await run({ ...of, output });
      expect(ended.stdout).toEqual({ stored: 20_000n, dropped: 0n });
      const files = readdirSync(base)
        .filter((name) => name.startsWith(`t${suite.counter}.stdout.`))
        .sort();
      expect(files).toEqual([4, 5, 6].map((index) => `t${suite.counter}.stdout.${index}`));
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
      const victim = join(base, `victim${suite.counter}`);
      writeFileSync(victim, 'precious');
      const of = sh('echo out');
      symlinkSync(victim, join(base, `t${suite.counter}.stdout.0`));
      await run(of);
      expect(readFileSync(victim, 'utf8')).toBe('precious');
      expect(log(of, 'stdout')).toBe('out\n');
    });

    test.skipIf(process.platform !== 'linux')(
      'is written to no other directory, where the task has put a link in place of its own',
      async () => {
        const elsewhere = join(base, `elsewhere${suite.counter}`);
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
      const shim = await suite.supervisor.start({
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
      const [out, err] = [join(base, `f${suite.counter}.out`), join(base, `f${suite.counter}.err`)];
      execFileSync('mkfifo', [out, err]);
      const reading = execReader([out, err]);
      const ended = await run(sh('echo o; echo e >&2', { output: { mode: 'forward', stdout: out, stderr: err } }));
      expect(ended.stdout.stored).toBe(2n);
      expect((await reading).split('\n').sort()).toEqual(['', 'e', 'o']);
    });

    test('forwarded to a FIFO nobody reads does not block the task', async () => {
      const [out, err] = [join(base, `g${suite.counter}.out`), join(base, `g${suite.counter}.err`)];
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
      const fifos = {
        stdoutFifo: join(base, `c${suite.counter}.out`),
        stderrFifo: join(base, `c${suite.counter}.err`),
      };
      const shim = await suite.supervisor.start({
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
});

function execReader(paths: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const script = 'head -n1 "$2" & head -n1 "$1"; wait';
    execFile('sh', ['-c', script, 'sh', ...paths], (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
}
