import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { conformance, log, until } from './conformance-kit.ts';
import { endOf } from './scratch-record.ts';
import { isAlive, startTimeOf } from './this-host.ts';

const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
const { SIGTERM, SIGKILL, SIGSEGV, SIGUSR1 } = constants.signals;

/** The suite of both shims: starts and ends. Output, exec and recovery have files of their own. */
conformance((suite) => {
  const { kind, base, onlyNative, record, sh, run } = suite;

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
      const shim = await suite.supervisor.start(of);
      await endOf(shim);
      shim.close();
      const again = await suite.supervisor.recover(of.directory);
      expect(again.state).toBe('ended');
      expect(again.state === 'ended' && again.end).toMatchObject({ code: 9 });
      await until('shim let go', () => startTimeOf(shim.pid) === 0n);
      await shim.shutdown();
    });

    test('is the same for every one of many waits and clients', async () => {
      const of = sh('sleep 0.2; exit 4');
      const one = await suite.supervisor.start(of);
      const recovered = await suite.supervisor.recover(of.directory);
      if (recovered.state !== 'present') throw new Error(recovered.state);
      const ends = await Promise.all([one.wait(), one.wait(), recovered.shim.wait(), recovered.shim.wait()]);
      expect(ends.map((each) => each.unknown === null && each.code)).toEqual([4, 4, 4, 4]);
      await one.shutdown();
    });
  });

  describe('a stop', () => {
    test('sends its signal and says so', async () => {
      const shim = await suite.supervisor.start(sh('sleep 60'));
      await shim.held();
      await shim.stop({ signal: SIGTERM, timeoutMs: 5000 });
      expect(await endOf(shim)).toMatchObject({ by: 'stop', code: 128 + SIGTERM, signal: SIGTERM });
      await shim.shutdown();
    });

    test('kills what ignores the signal once the time is over', async () => {
      const of = sh('trap "" TERM; echo ready; while :; do sleep 0.1; done');
      const shim = await suite.supervisor.start(of);
      await until('trap set', async () => (await shim.status()).stdout.stored > 0n);
      const from = Date.now();
      await shim.stop({ signal: SIGTERM, timeoutMs: 300 });
      expect(await endOf(shim)).toMatchObject({ by: 'kill', signal: SIGKILL });
      expect(Date.now() - from).toBeGreaterThan(250);
      expect(Date.now() - from).toBeLessThan(3000);
      await shim.shutdown();
    });

    test('may be shortened by a second one', async () => {
      const shim = await suite.supervisor.start(sh('trap "" TERM; echo ready; while :; do sleep 0.1; done'));
      await until('trap set', async () => (await shim.status()).stdout.stored > 0n);
      await shim.stop({ timeoutMs: 60_000 });
      await shim.stop({ timeoutMs: 0 });
      expect(await endOf(shim)).toMatchObject({ by: 'kill' });
      await shim.shutdown();
    });

    test('takes along what the task left in its process group', async () => {
      const of = sh('sleep 61.25 & echo $!; wait');
      const shim = await suite.supervisor.start(of);
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
      const shim = await suite.supervisor.start(of);
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
    const shim = await suite.supervisor.start(of);
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
      const shim = await suite.supervisor.start(of);
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
      const shim = await suite.supervisor.start(sh('echo ran', { gate: { timeoutMs: 200 } }));
      expect(await endOf(shim)).toMatchObject({
        started: false,
        by: 'never-started',
        stdout: { stored: 0n, dropped: 0n },
      });
      await expect(shim.held()).rejects.toMatchObject({ kind: 'unavailable' });
      await shim.shutdown();
    });

    test('that is stopped ends as never started', async () => {
      const shim = await suite.supervisor.start(sh('echo ran', { gate: { timeoutMs: 20_000 } }));
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
      const shim = await suite.supervisor.start(record(['sleep', '60']));
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

  test('a client that speaks no version of its own is told so and let go', async () => {
    const shim = await suite.supervisor.start(sh('sleep 60'));
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
    await expect(suite.supervisor.start(of)).rejects.toMatchObject({ kind: 'exists' });
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
    const shim = await suite.supervisor.start(sh('sleep 60'));
    await expect(shim.shutdown()).rejects.toMatchObject({ kind: 'conflict' });
    await shim.stop();
    await endOf(shim);
    await shim.shutdown();
    await until('shim gone', () => startTimeOf(shim.pid) === 0n);
  });

  test('what a record asks that it cannot be is refused by name, and nothing runs', async () => {
    await expect(suite.supervisor.start(sh('true', { env: { 'A=B': 'c' } }))).rejects.toMatchObject({
      kind: 'invalid',
    });
    await expect(suite.supervisor.start(sh('true\0false'))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(suite.supervisor.start(record([]))).rejects.toMatchObject({ kind: 'invalid' });
    if (kind === 'typescript') {
      await expect(suite.supervisor.start(sh('true', { identity: { capabilities: 0n } }))).rejects.toThrow(
        /capabilities/,
      );
    }
  });
});
