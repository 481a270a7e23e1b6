import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { conformance, until } from './conformance-kit.ts';
import { endOf } from './scratch-record.ts';
import { startTimeOf } from './this-host.ts';

/** The suite of both shims: what a new agent finds. */
conformance((suite) => {
  const { kind, another, sh, run } = suite;

  describe('recovery', () => {
    test('finds a running task again, in a new supervisor, with the same pid', async () => {
      const of = sh('sleep 60');
      const mine = another();
      const shim = await mine.start(of);
      const before = await shim.held();
      shim.close();
      await mine.close();
      const found = await suite.supervisor.recover(of.directory);
      if (found.state !== 'present') throw new Error(found.state);
      const after = await found.shim.status();
      expect([after.pid, after.startTime]).toEqual([before.pid, before.startTime]);
      await found.shim.stop();
      await endOf(found.shim);
      await found.shim.shutdown();
      expect((await suite.supervisor.recover(of.directory)).state).toBe('ended');
    });

    test('of a shim that was killed says unknown, never a code', async () => {
      const of = sh('sleep 65');
      const shim = await suite.supervisor.start(of);
      const status = await shim.held();
      const waiting = shim.wait();
      process.kill(shim.pid, 'SIGKILL');
      expect(await waiting).toMatchObject({ unknown: 'shim-lost' });
      expect(await suite.supervisor.recover(of.directory)).toMatchObject({
        state: 'ended',
        end: { unknown: 'shim-lost' },
      });
      if (kind === 'native') await until('task gone with its shim', () => startTimeOf(status.pid) === 0n);
      else process.kill(status.pid, 'SIGKILL');
    });

    test('of a start from another boot says reboot and touches nothing', async () => {
      const of = sh('sleep 60');
      const shim = await suite.supervisor.start(of);
      const { pid } = await shim.held();
      const intent = JSON.parse(readFileSync(join(of.directory, 'start.json'), 'utf8')) as Record<string, unknown>;
      writeFileSync(join(of.directory, 'start.json'), JSON.stringify({ ...intent, bootId: 'another' }));
      expect(await suite.supervisor.recover(of.directory)).toMatchObject({
        state: 'ended',
        end: { unknown: 'reboot' },
      });
      expect(startTimeOf(pid)).not.toBe(0n);
      // what a power cut leaves: the intent was synced, the shim's signature was not
      renameSync(join(of.directory, 'shim.pid'), join(of.directory, 'kept'));
      expect(await suite.supervisor.recover(of.directory)).toMatchObject({ end: { unknown: 'reboot' } });
      renameSync(join(of.directory, 'kept'), join(of.directory, 'shim.pid'));
      await shim.stop();
      await endOf(shim);
      await shim.shutdown();
    });

    test('of a record that cannot be read for a moment says nothing, and asked again, the truth', async () => {
      const of = sh('sleep 66');
      const shim = await suite.supervisor.start(of);
      const status = await shim.held();
      const [signature, kept, record] = ['shim.pid', 'kept', 'exit.json'].map((name) => join(of.directory, name));
      // as with too many files open, or a disk that answers with an error: it is there, and cannot be read
      renameSync(signature!, kept!);
      mkdirSync(signature!);
      await expect(suite.supervisor.recover(of.directory)).rejects.toMatchObject({ kind: 'unavailable' });
      rmdirSync(signature!);
      renameSync(kept!, signature!);
      mkdirSync(record!);
      process.kill(shim.pid, 'SIGKILL');
      await expect(shim.wait()).rejects.toMatchObject({ kind: 'unavailable' });
      rmdirSync(record!);
      expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
      if (kind === 'typescript') process.kill(status.pid, 'SIGKILL');
    });

    test('of an intent without a shim says never started, of no intent absent, of a torn record unreadable', async () => {
      const of = sh('true');
      execFileSync('mkdir', [of.directory]);
      expect(await suite.supervisor.recover(of.directory)).toEqual({ state: 'absent' });
      writeFileSync(join(of.directory, 'start.json'), '{"version":1,"boo');
      expect(await suite.supervisor.recover(of.directory)).toEqual({ state: 'absent' });
      const other = sh('true');
      await run(other);
      rmSync(join(other.directory, 'exit.json'));
      rmSync(join(other.directory, 'shim.pid'));
      expect(await suite.supervisor.recover(other.directory)).toEqual({ state: 'never-started' });
      writeFileSync(join(other.directory, 'exit.json'), '{"version":1,"code":0');
      expect(await suite.supervisor.recover(other.directory)).toMatchObject({
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
});
