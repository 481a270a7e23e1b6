/** A session through an OCI runtime's own `exec`: where a runtime has made the user namespace, only it can enter. */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecRequest, ExecSession } from '../driver/contract.ts';
import type { RuntimeSessions } from '../isolation/launch/launch.ts';
import type { Shim } from '../supervise/contract.ts';

export interface RuntimeExecRequest extends ExecRequest {
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  /** The start's own directory. */
  readonly directory: string;
}

/** The environment goes through a file of the agent's own: arguments can be read by everybody. */
export async function runtimeExec(
  shim: Shim,
  sessions: RuntimeSessions,
  request: RuntimeExecRequest,
  signal: AbortSignal,
): Promise<ExecSession> {
  const file = join(request.directory, `session-${randomBytes(8).toString('hex')}.json`);
  const process = {
    ...sessions.process,
    args: request.command,
    env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`),
    cwd: request.workDir || '/',
    terminal: request.tty,
  };
  await writeFile(file, JSON.stringify(process), { mode: 0o600 });
  const size = request.size === undefined ? {} : { size: request.size };
  const command = [...sessions.command, '--process', file, sessions.containerId];
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  try {
    const session = await shim.exec({ command, env, workDir: '/', tty: request.tty, host: true, ...size }, signal);
    const forget = (): void => void rm(file, { force: true }).catch(() => {});
    session.exit.then(forget, forget);
    return session;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
