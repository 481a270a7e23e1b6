/** What a probe says, and how one runs: by really doing the thing in a child that is thrown away. */
import { availableParallelism } from 'node:os';
import { messageOf } from '../../lib/fault.ts';
import { endGroup } from '../../lib/node/process-group.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { Turns } from '../../lib/turns.ts';

export interface ProbeResult {
  readonly name: string;
  readonly ok: boolean;
  /** `"EPERM"`, `"ENOENT"`, …; empty where it went well or no error number was to be had. */
  readonly errno: string;
  readonly durationMs: number;
  /** What was seen, or why it was not. One line. */
  readonly evidence: string;
}

/** What a look at a mechanism comes to. */
export type ProbeAnswer = Pick<ProbeResult, 'ok' | 'evidence'>;

export interface ChildResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  /** Host ids to run under; only root can. Supplementary groups are dropped. */
  readonly uid?: number;
  readonly gid?: number;
  readonly timeoutMs?: number;
  readonly cwd?: string;
  /** What it reads from its standard input; default: nothing. */
  readonly input?: string;
}

/** Never throws: what cannot be run has code null and the reason on stderr. Killed after 15 s: a host that is busy starting is slow. */
export function runChild(command: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return new Promise<ChildResult>((resolve) => {
    const { uid, gid, input, cwd = '/', timeoutMs = 15_000 } = options;
    let stdout = '';
    let stderr = '';
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // a group of its own: what a hanging program started holds the pipes open too
      detached: true,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    // it may end without having read all of it
    child.stdin?.on('error', () => undefined).end(input);
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < 65_536) stdout += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < 65_536) stderr += text;
    });
    let late = '';
    const limit = setTimeout(() => {
      late = `no answer within ${timeoutMs} ms`;
      endGroup(child.pid);
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(limit);
      resolve({ code: null, stdout, stderr: error.message });
    });
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ code, stdout, stderr: late || stderr });
    });
  }).catch((error: unknown) => ({ code: null, stdout: '', stderr: messageOf(error) }));
}

/** All at once they would be no faster, and on a slow machine each would take so long that it is given up. */
const turns = new Turns(availableParallelism() + 1);

/** Runs a probe when its turn has come, and measures it; a probe that throws has failed. */
export function probe(name: string, look: () => Promise<ProbeAnswer>): Promise<ProbeResult> {
  return turns.run(() => measured(name, look));
}

async function measured(name: string, look: () => Promise<ProbeAnswer>): Promise<ProbeResult> {
  const started = performance.now();
  let seen: ProbeAnswer;
  try {
    seen = await look();
  } catch (error) {
    seen = { ok: false, evidence: error instanceof Error ? error.message : String(error) };
  }
  const evidence = seen.evidence.trim().split('\n').join('; ').slice(0, 300);
  return {
    name,
    ok: seen.ok,
    errno: seen.ok ? '' : errnoIn(evidence),
    durationMs: Math.round(performance.now() - started),
    evidence,
  };
}

const texts: readonly (readonly [RegExp, string])[] = [
  [/not permitted|EPERM/i, 'EPERM'],
  [/permission denied|EACCES/i, 'EACCES'],
  [/no such file|ENOENT/i, 'ENOENT'],
  [/no space left|ENOSPC/i, 'ENOSPC'],
  [/invalid argument|EINVAL/i, 'EINVAL'],
  [/not implemented|ENOSYS/i, 'ENOSYS'],
  [/read-only file system|EROFS/i, 'EROFS'],
];

/** Programs say errors in words; for people the name is easier to search for. Nothing is decided by it. */
function errnoIn(text: string): string {
  return texts.find(([pattern]) => pattern.test(text))?.[1] ?? '';
}
