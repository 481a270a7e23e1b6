import { type ChildProcess, execFileSync } from 'node:child_process';
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Writable } from 'node:stream';
import { Fault } from '../../lib/fault.ts';
import { spawn } from '../../lib/node/spawn.ts';
import type { Identity } from '../contract.ts';
import type { StartError } from '../start-fault.ts';

/**
 * A command started the way the native shim would, as far as Node can: a shell waits on descriptor 3 while its cgroups, limits and
 * out-of-memory score are set from outside, and only then becomes the command.
 */
export interface Prepared {
  readonly child: ChildProcess;
  release(): void;
}

const limitNames = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
];

function usable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Looks the command up as execvp would, in PATH of its own environment. `Fault('not_found')`. */
function findCommand(command: string, env: Readonly<Record<string, string>>, workDir: string): void {
  if (process.platform === 'win32') return;
  if (command.includes('/')) {
    const path = isAbsolute(command) ? command : join(workDir, command);
    try {
      statSync(path);
    } catch {
      throw new Fault('not_found', 'No such file or directory');
    }
    if (!usable(path)) throw new Fault('invalid', 'Permission denied');
    return;
  }
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  if (!path.split(delimiter).some((folder) => usable(join(folder, command))))
    throw new Fault('not_found', 'No such file or directory');
}

/** As its start would tell of it. */
function checkDirectory(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  const [errno, message] = found === undefined ? [2, 'No such file or directory'] : [20, 'Not a directory'];
  throw new Fault('invalid', `chdir: ${message}`, { cause: { stage: 'chdir', errno, message } satisfies StartError });
}

function applyFromOutside(pid: number, identity: Identity, cgroups: readonly string[]): void {
  for (const directory of cgroups) writeFileSync(join(directory, 'cgroup.procs'), `${pid}`);
  if (process.platform !== 'linux') return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, `${identity.oomScoreAdj ?? 0}`);
  } catch {
    // Lowering needs a privilege; no reason to fail a start.
  }
  const limits = (identity.rlimits ?? []).map(
    (each) => `--${limitNames[each.resource]}=${bound(each.soft)}:${bound(each.hard)}`,
  );
  if (limits.length > 0) execFileSync('prlimit', [`--pid=${pid}`, ...limits], { stdio: 'ignore' });
}

function bound(value: bigint): string {
  return value === 0xffff_ffff_ffff_ffffn ? 'unlimited' : `${value}`;
}

export interface CommandOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  readonly identity: Identity;
  readonly cgroups: readonly string[];
  readonly stdin: 'ignore' | 'pipe';
}

/** Resolves once everything but the command itself is in place. */
export async function prepareCommand(options: CommandOptions): Promise<Prepared> {
  const { identity, command, env } = options;
  if ((identity.groups ?? []).length > 0)
    throw new Fault('unsupported', 'the TypeScript shim cannot set supplementary groups: build the native one');
  checkDirectory(options.workDir);
  findCommand(command[0] ?? '', env, options.workDir);
  const user = {
    ...(identity.uid === undefined || identity.uid === process.geteuid?.() ? {} : { uid: identity.uid }),
    ...(identity.gid === undefined || identity.gid === process.getegid?.() ? {} : { gid: identity.gid }),
  };
  const stdio = [options.stdin, 'pipe', 'pipe', 'pipe'] as ('ignore' | 'pipe')[];
  const held = process.platform !== 'win32';
  const privileges = identity.noNewPrivs === true ? ['setpriv', '--no-new-privs', '--'] : [];
  const script = `read -r go <&3 || exit 125; exec 3<&-; umask ${(identity.umask ?? 0o022).toString(8)}; exec "$@"`;
  const words = held ? ['/bin/sh', '-c', script, 'sh', ...privileges, ...command] : [...command];
  const child = spawn(words[0] as string, words.slice(1), {
    cwd: options.workDir,
    env,
    stdio,
    detached: true,
    ...user,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Fault('invalid', error.message)));
  });
  child.on('error', () => {});
  const gate = child.stdio[3] as Writable;
  gate.on('error', () => {});
  try {
    applyFromOutside(child.pid as number, identity, options.cgroups);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Fault('unavailable', `joining cgroups or setting limits: ${(error as Error).message}`);
  }
  return { child, release: () => gate.end('go\n') };
}
