/** `alloc logs -f` outlives the agent: nothing is printed twice, nothing is left out. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';

const job = `job "count" {
  type = "service"
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "i=0; while :; do i=$((i+1)); echo out $i; echo err $i >&2; sleep 0.1; done"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
`;

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(() => agent.dispose());

function followed(alloc: string) {
  const child = spawn(process.execPath, [drover, 'alloc', 'logs', '-f', alloc], {
    env: { PATH: process.env['PATH'], NOMAD_ADDR: agent.address },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (seen.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (seen.stderr += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { seen, child, ended };
}

const numbers = (text: string, word: string): number[] =>
  [...text.matchAll(new RegExp(`^${word} (\\d+)\n`, 'gm'))].map((match) => Number(match[1]));
const from1To = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);

it.each(['crash', 'interrupt'] as const)('goes on where it was after the agent’s %s', async (end) => {
  expect(await runCli(agent, ['run', '-'], { stdin: job })).toMatchObject({ code: 0 });
  const ids = (
    await runCli(agent, [
      'job',
      'allocs',
      '-t',
      '{{range .}}{{if eq .ClientStatus "running"}}{{.ID}}{{end}}{{end}}',
      'count',
    ])
  ).stdout;
  const { seen, child, ended } = followed(ids.trim());
  try {
    await eventually(() => expect(numbers(seen.stdout, 'out').length).toBeGreaterThan(5));
    await agent[end]();
    const before = numbers(seen.stdout, 'out').at(-1)!;
    agent = await agent.restart();
    await eventually(() => expect(numbers(seen.stdout, 'out').at(-1)).toBeGreaterThan(before + 10));
    await eventually(() => expect(numbers(seen.stderr, 'err').at(-1)).toBeGreaterThan(before + 10));
    expect(seen.stderr).toContain('The connection is lost');
  } finally {
    child.kill('SIGINT');
  }
  expect(await ended).toBe(0);
  const out = numbers(seen.stdout, 'out');
  const err = numbers(seen.stderr, 'err');
  expect(out).toEqual(from1To(out.at(-1)!));
  expect(err).toEqual(from1To(err.at(-1)!));
  expect(await runCli(agent, ['stop', '-purge', 'count'])).toMatchObject({ code: 0 });
});

it('ends by itself once the task has ended, with all it wrote', async () => {
  const short = job.replace('type = "service"', 'type = "batch"').replace('while :', 'while [ $i -lt 20 ]');
  await runCli(agent, ['run', '-detach', '-'], { stdin: short });
  const id = await eventually(async () => {
    const [row] = (await agent.client.jobs.allocations('count')).value;
    expect(row!.ClientStatus).toBe('running');
    return row!.ID;
  });
  const { seen, ended } = followed(id);
  expect(await ended).toBe(0);
  expect(numbers(seen.stdout, 'out')).toEqual(from1To(20));
  expect(numbers(seen.stderr, 'err')).toEqual(from1To(20));
});
