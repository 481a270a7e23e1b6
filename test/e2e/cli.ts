/** Runs the command line as a person's shell would: a process of its own, its streams as text. */
import { spawn } from 'node:child_process';
import { type AgentProcess, drover } from '../agent-process.ts';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runCli(
  agent: Pick<AgentProcess, 'address'> | null,
  args: readonly string[],
  options: { stdin?: string; env?: Record<string, string>; cwd?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const address = agent === null ? {} : { NOMAD_ADDR: agent.address };
    const child = spawn(process.execPath, [drover, ...args], {
      env: { PATH: process.env['PATH'], TZ: 'UTC', ...address, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(options.stdin ?? '');
  });
}
