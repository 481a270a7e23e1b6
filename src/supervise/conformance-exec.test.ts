import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { conformance, until } from './conformance-kit.ts';
import type { ShimExec } from './contract.ts';
import { endOf } from './scratch-record.ts';
import { startTimeOf } from './this-host.ts';

const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
const { SIGKILL } = constants.signals;

async function text(exec: ShimExec): Promise<{ stdout: string; stderr: string }> {
  const got = { stdout: '', stderr: '' };
  for await (const chunk of exec.output) got[chunk.stream] += Buffer.from(chunk.data).toString();
  return got;
}

/** The suite of both shims: commands beside a task. */
conformance((suite) => {
  const { onlyNative, sh } = suite;

  describe('exec', () => {
    test('runs a command beside the task and tells its output and end', async () => {
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
      const shim = await suite.supervisor.start(sh('sleep 60'));
      await shim.held();
      await expect(shim.exec({ command: ['/nope'], env })).rejects.toMatchObject({ kind: 'not_found' });
      await shim.stop();
      await endOf(shim);
      await expect(shim.exec({ command: ['true'], env })).rejects.toMatchObject({ kind: 'conflict' });
      await shim.shutdown();
    });

    test('leaves nothing in the shim, however many there were', async () => {
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
      const shim = await suite.supervisor.start(sh('sleep 60'));
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
});
