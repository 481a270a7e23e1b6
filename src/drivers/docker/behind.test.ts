// What happens to a container behind the driver's back, and what enters it: of each engine.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, ExecSession, TaskConfig, TerminalSize } from '../../driver/contract.ts';
import { lackingForDaemon, lackingForPodman, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { openHook } from './evil-proxy.ts';
import { ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;

/** Of the shell whose script says so. */
async function parentOf(mark: string): Promise<number> {
  const { stdout } = await promisify(execFile)('pgrep', ['--oldest', '--full', `^sh -c .*${mark}`]);
  return Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${stdout.trim()}/status`, 'utf8'))![1]);
}

const engines = [
  { name: 'docker', lacking: lackingForDaemon },
  { name: 'podman', lacking: lackingForPodman },
] as const;

describe.each(engines)('a container of $name', { timeout: 120_000 }, ({ name, lacking }) => {
  const here = test.skipIf(lacking.length > 0);
  let scratch: ScratchDocker;
  let engine: EngineDriver;
  beforeAll(async () => {
    if (lacking.length > 0) return;
    scratch = await ScratchDocker.open({ engine: name });
    engine = scratch.driver().engine;
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);

  async function started(script: string): Promise<{ readonly of: TaskConfig; readonly path: string }> {
    const of = await scratch.task(shell(script));
    const { state } = await engine.start(of, never);
    return { of, path: `/containers/${String(state['containerId'])}` };
  }
  const told = (path: string, query = {}) => scratch.daemon.client.text('POST', path, { query, signal: never });

  here('that somebody paused runs, and is stopped all the same', async () => {
    const { of, path } = await started("trap 'exit 9' TERM; sleep 300 & wait");
    await told(`${path}/pause`);
    expect((await engine.inspect(of.id, never)).state).toBe('running');
    await engine.stop(of.id, { timeoutMs: 20_000, killSignal: 'SIGTERM' }, AbortSignal.timeout(30_000));
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 9 });
    await engine.destroy(of.id, { force: false }, never);
  });

  here('that somebody paused is removed by force', async () => {
    const { of, path } = await started('sleep 300');
    await told(`${path}/pause`);
    await engine.destroy(of.id, { force: true }, never);
    await expect(scratch.daemon.client.json('GET', `${path}/json`, { signal: never })).rejects.toThrow();
  });

  here('that somebody renamed, stopped or ended is the same, and its end is told', async () => {
    const { of, path } = await started("trap 'exit 9' TERM; sleep 300 & wait");
    await told(`${path}/rename`, { name: `other-${of.allocId}` });
    await expect.poll(() => engine.stats!(of.id, never)).toMatchObject({ memory: expect.anything() });
    await told(`${path}/stop`, { t: '20' });
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 9 });
    await expect(engine.stats!(of.id, never)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(enters(of, ['true'])).rejects.toMatchObject({ kind: 'conflict' });
    await engine.destroy(of.id, { force: false }, never);
  });

  async function output(session: ExecSession): Promise<string> {
    let said = '';
    for await (const { data } of session.output) said += Buffer.from(data).toString();
    return said.replaceAll('\r', '');
  }

  /** With a terminal where it is given a size. */
  const enters = (of: TaskConfig, words: readonly string[], size?: TerminalSize, by = engine) =>
    by.exec!(of.id, { command: words, tty: size !== undefined, ...(size === undefined ? {} : { size }) }, never);

  here('gives what enters it the size of its terminal from the beginning, and a new one', async () => {
    const { of } = await started('sleep 300');
    // an engine has no terminal to size before the command runs in it
    const first = ['sh', '-c', 'until stty size 2> /dev/null | grep .; do sleep 0.05; done'];
    for (let at = 0; at < 5; at++) {
      const size = { height: 40 + at, width: 132 };
      const session = await enters(of, first, size);
      expect(await output(session)).toBe(`${size.height} 132\n`);
    }
    // and one that ends before its terminal has a size has ended
    const short = await enters(of, ['true'], { height: 1, width: 1 });
    expect(await short.exit).toMatchObject({ exitCode: 0 });
    // its first size may come late too
    const waits = [
      'sh',
      '-c',
      'trap "stty size | grep 33.99 && exit 6" WINCH; echo ready; while :; do sleep 0.1; done',
    ];
    const session = await enters(of, waits, { height: 1, width: 1 });
    let said = '';
    for await (const { data } of session.output) {
      said += Buffer.from(data).toString();
      if (said === 'ready\r\n') await session.resize({ height: 33, width: 99 });
    }
    expect(said).toBe('ready\r\n33 99\r\n');
    expect(await session.exit).toMatchObject({ exitCode: 6 });
    await engine.destroy(of.id, { force: true }, never);
  });

  // docker's own is asked while it answers: stopped, it answers nothing
  test.skipIf(lacking.length > 0 || name === 'docker')(
    'gives a terminal the last of its sizes, also where several wait at once',
    async () => {
      const { of } = await started('sleep 300');
      const mark = `sleep 299.${process.pid}`;
      const waits = `echo ready; until stty size 2> /dev/null | grep 33.99; do sleep 0.1; done; : ${mark}`;
      const session = await enters(of, ['sh', '-c', waits], { height: 1, width: 1 });
      let said = '';
      for await (const { data } of session.output) {
        said += Buffer.from(data).toString();
        if (said !== 'ready\r\n') continue;
        const monitor = await parentOf(mark);
        process.kill(monitor, 'SIGSTOP');
        try {
          for (const height of [31, 32, 33]) await session.resize({ height, width: 99 });
        } finally {
          process.kill(monitor, 'SIGCONT');
        }
      }
      expect(said).toBe('ready\r\n33 99\r\n');
      expect(await session.exit).toMatchObject({ exitCode: 0 });
      await engine.destroy(of.id, { force: true }, never);
    },
  );

  here('passes on every key: none leaves the session', async () => {
    const { of } = await started('sleep 300');
    const session = await enters(of, ['sh', '-c', 'read -r x; echo "$x" | od -An -c; exit 7'], {
      height: 24,
      width: 80,
    });
    await session.writeStdin(Buffer.from('a\x10'));
    await session.writeStdin(Buffer.from('\x11b\n'));
    expect(await output(session)).toMatch(/a 020\s+b\s+\\n/);
    expect(await session.exit).toMatchObject({ exitCode: 7 });
    await engine.destroy(of.id, { force: true }, never);
  });

  here('whose engine answers nonsense to a session has a session that ended so, and an agent that lives', async () => {
    const path = join(scratch.host.scratch.root, 'sessions.sock');
    const upgraded = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
    const server = await openHook(scratch.daemon.socket, path, async (line) =>
      /^POST \S*\/exec\/\w+\/start /.test(line) ? `${upgraded}what is it? what is it?` : '',
    );
    const by = scratch.driver({ [name === 'podman' ? 'socket_path' : 'endpoint']: `unix://${path}` }).engine;
    const of = await scratch.task(shell('sleep 300'));
    await by.start(of, never);
    const session = await enters(of, ['true'], undefined, by);
    expect(await output(session)).toBe('');
    expect(await session.exit).toMatchObject({ unknown: 'engine-lost' });
    await by.destroy(of.id, { force: true }, never);
    server.close();
  });

  here('of a life that ended between its making and its start is not started again, but made anew', async () => {
    const of = await scratch.task(shell('echo made by $ME'), { env: { ME: 'now', PATH: '/bin' } });
    const prefix = name === 'podman' ? 'localhost/' : '';
    const body = {
      Image: `${prefix}${scratchImage}`,
      Cmd: ['sh', '-c', 'echo made before'],
      Labels: { 'drover.task_id': of.id },
    };
    const query = { name: `main-${of.allocId}` };
    await scratch.daemon.client.json('POST', '/containers/create', { query, body, signal: never });
    expect((await scratch.run(engine, of)).stdout).toBe('made by now\n');
  });
});
