/** `npm start`, as a person runs it: its first run, Ctrl-C, the next run, and a port that somebody else has. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { eventually, freePort } from '../agent-process.ts';
import { endLeftovers, mountsBelow } from '../processes.ts';
import { runCli } from './cli.ts';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'drover-start-'));
const started = new Set<ChildProcess>();

afterAll(async () => {
  for (const { pid, exitCode } of started) if (exitCode === null) process.kill(-pid!, 'SIGKILL');
  await endLeftovers(directory, `drover-none-${process.pid}`);
  for (const path of mountsBelow(directory).toReversed()) spawnSync('umount', [path]);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

interface Start {
  text(): string;
  /** Resolves with what it ended with. */
  readonly ended: Promise<number | null>;
  interrupt(): void;
}

function start(port: number, data = 'data'): Start {
  const words = ['scripts/start.mjs', `-port=${port}`, `-data-dir=${join(directory, data)}`];
  const child = spawn(process.execPath, words, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  started.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    text: () => text,
    ended: new Promise((resolve) => child.on('exit', resolve)),
    interrupt: () => child.kill('SIGINT'),
  };
}

it('runs the example, says what goes on at Ctrl-C, finds it the next time, and runs nothing on an agent of others', {
  timeout: 300_000,
}, async () => {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const first = start(port);
  await eventually(() => expect(first.text()).toContain('Ctrl-C stops the agent'), 120_000);
  expect(first.text()).toMatch(/Hello from hello, allocation/);
  const job =
    'job "stay" {\n group "g" {\n task "t" {\n driver = "exec"\n config {\n command = "/bin/sleep"\n args = ["600"]\n }\n }\n }\n }\n';
  expect(await runCli({ address }, ['job', 'run', '-'], { stdin: job })).toMatchObject({ code: 0 });

  const beside = start(port, 'other');
  expect(await beside.ended).toBe(1);
  expect(beside.text()).toMatch(/cannot listen on .* address already in use/);
  expect(beside.text()).not.toContain('Hello from hello');

  first.interrupt();
  expect(await first.ended).toBe(0);
  expect(first.text()).toMatch(/1 task keeps running without the agent/);

  const again = start(port);
  await eventually(() => expect(again.text()).toContain('Ctrl-C stops the agent'), 120_000);
  const status = await runCli({ address }, ['job', 'status', 'stay']);
  expect(status.stdout).toMatch(/running +1|run +running/);
  await runCli({ address }, ['job', 'stop', '-purge', '-yes', 'stay']);
  // a sleeping process 1 heeds no signal but the last
  await eventually(async () => {
    const rows = (await (await fetch(`${address}/v1/allocations`)).json()) as { ClientStatus: string }[];
    expect(rows.filter(({ ClientStatus }) => ClientStatus === 'running')).toEqual([]);
  }, 90_000);
  again.interrupt();
  await again.ended;
  expect(again.text()).not.toMatch(/keeps? running without/);
});
