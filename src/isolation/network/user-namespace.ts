/**
 * A network namespace of an ordinary user: held by a process that does nothing else, entered by the verifier, which has its owner's rights
 * there. What passes packets on ends with the holder, for it watches a FIFO that the holder has open.
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../lib/fault.ts';
import { kernelLink, kernelText } from '../../lib/node/kernel-file.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { runChild } from '../mechanisms/probe.ts';
import { mapSubordinates } from '../subordinate.ts';

/** A process by what no other ever has. */
export interface Held {
  readonly pid: number;
  readonly startTime: string;
}

/** In the environment of what belongs to a network, so that it is found where nothing was noted yet. */
export const mark = 'DROVER_NETWORK';

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function networkFile({ pid }: Held): string {
  return `/proc/${pid}/ns/net`;
}

export function startTimeOf(pid: number): string {
  const stat = kernelText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat === '' || fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

export function lives(held: Held | undefined): held is Held {
  return held !== undefined && startTimeOf(held.pid) === held.startTime;
}

/** Resolves when it is gone. */
export async function end(held: Held): Promise<void> {
  for (let attempt = 0; lives(held); attempt++) {
    if (attempt === 400) throw new Fault('unavailable', `process ${held.pid} of a network does not end`);
    try {
      process.kill(held.pid, 'SIGKILL');
    } catch {
      return;
    }
    await sleep(5);
  }
}

/** Runs on without the agent. `fifo`: what the holder keeps open. `within`: a process of the namespace to be held again; null: a new one is made. */
export async function hold(
  owner: string,
  fifo: string,
  verifier: string,
  within: string | null,
  subordinates: boolean,
): Promise<Held> {
  const made = await runChild(['sh', '-c', '[ -p "$1" ] || mkfifo -m 600 "$1"', 'sh', fifo]);
  if (made.code !== 0) throw new Fault('unavailable', made.stderr);
  const enter =
    within === null
      ? ['unshare', '--user', ...(subordinates ? mapSubordinates : ['--map-root-user']), '--net']
      : [verifier, 'enter', `/proc/${within}/ns/net`];
  const child = begin([...enter, 'sh', '-c', 'exec 3<>"$1"; exec sleep infinity', 'sh', fifo], owner, [
    'ignore',
    'ignore',
    'ignore',
  ]);
  const own = kernelLink('/proc/self/ns/net');
  for (let attempt = 0; attempt < 1000; attempt++) {
    const pid = child.pid;
    if (pid === undefined || child.exitCode !== null || child.signalCode !== null) break;
    // the last of its programs: all is made
    if (kernelText(`/proc/${pid}/comm`) === 'sleep\n' && kernelLink(`/proc/${pid}/ns/net`) !== own)
      return { pid, startTime: startTimeOf(pid) };
    await sleep(5);
  }
  child.kill('SIGKILL');
  throw new Fault('unavailable', 'no network namespace can be made without root: user namespaces are not allowed here');
}

/**
 * Starts what passes packets on, in the host's network with the owner's rights over the holder's. It is told `--ready-fd 3` and `--exit-fd 4`.
 * Resolves when it is ready.
 */
export async function startBeside(
  command: readonly string[],
  owner: string,
  holder: Held,
  fifo: string,
  verifier: string,
): Promise<Held> {
  const exit = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const child = begin([verifier, 'beside', networkFile(holder), ...command], owner, [
      'ignore',
      'ignore',
      'pipe',
      'pipe',
      exit.fd,
    ]);
    const pid = child.pid;
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-400);
    });
    const ready = await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), 10_000);
      const settle = (value: boolean) => {
        clearTimeout(limit);
        resolve(value);
      };
      child.stdio[3]!.on('data', () => settle(true));
      child.on('exit', () => settle(false));
      child.on('error', () => settle(false));
    });
    child.stderr?.destroy();
    child.stdio[3]!.destroy();
    if (ready && pid !== undefined) return { pid, startTime: startTimeOf(pid) };
    child.kill('SIGKILL');
    throw new Fault('unavailable', `${command[0]}: ${said.trim().split('\n').at(-1) || 'it does not begin'}`, {
      recoverable: true,
    });
  } finally {
    await exit.close();
  }
}

function begin(
  command: readonly string[],
  owner: string,
  stdio: readonly ('ignore' | 'pipe' | number)[],
): ChildProcess {
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/',
    env: { PATH: path, [mark]: owner },
    detached: true,
    stdio: [...stdio],
  });
  child.on('error', () => undefined);
  child.unref();
  return child;
}
