/** The attacks (`attacks/`): built here, with what they look for, and run where nothing protects, so that a failure elsewhere proves something. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Attempt {
  /** `"identity"`, `"processes"`, … */
  readonly kind: string;
  readonly name: string;
  /** What it would cost: the host or other tasks, knowledge of the host, a socket of the host, nothing but itself. */
  readonly harm: 'fatal' | 'leak' | 'reach' | 'self';
  readonly outcome: 'through' | 'stopped' | 'absent' | 'hung';
  /** `EPERM`, or the signal that ended it. */
  readonly error: string;
}

export interface Attacks {
  /** Holds the program, and copies of it that give whoever runs them more than they have. */
  readonly plant: string;
  /** By name: what took effect where nothing protects, as root or as an ordinary user. */
  readonly proven: ReadonlySet<string>;
  readonly unproven: readonly Attempt[];
  remove(): void;
}

/** An ordinary user of no account; also whom unprivileged agents run as. */
export const ordinaryUser = 61_234;
/**
 * More than tasks of the tests may have: `processes` against a `pids_limit` of 256, `memory_mb` against 128 MB, of which a task that is
 * bounded by rlimits alone gets four times as much.
 */
export const excess = ['processes=300', 'memory_mb=700'] as const;

/** Needs a C compiler. */
export function compileAttacks(program: string): void {
  const folder = join(import.meta.dirname, 'attacks');
  const sources = readdirSync(folder).filter((name) => name.endsWith('.c'));
  must('cc', ['-O1', '-static', '-std=gnu11', '-w', '-o', program, ...sources.map((name) => join(folder, name))]);
}

/** Needs root. `compile`: makes the program; default: with a C compiler. */
export function buildAttacks(compile: (program: string) => void = compileAttacks): Attacks {
  const directory = mkdtempSync(join(tmpdir(), 'drover-attacks-'));
  chmodSync(directory, 0o755);
  const plant = join(directory, 'plant');
  mkdirSync(plant, { mode: 0o755 });
  const program = join(plant, 'attack');
  compile(program);
  for (const [name, mode] of [
    ['setuid', 0o4755],
    ['setgid', 0o2755],
    ['capable', 0o755],
  ] as const) {
    copyFileSync(program, join(plant, name));
    chmodSync(join(plant, name), mode);
  }
  must('setcap', ['cap_net_raw+ep', join(plant, 'capable')]);
  writeFileSync(join(plant, 'secret'), 'secret', { mode: 0o600 });
  writeFileSync(join(plant, 'foreign'), 'foreign', { mode: 0o644 });
  chownSync(join(plant, 'foreign'), 4321, 4321);
  const attempts = [0, ordinaryUser].flatMap((uid) => control(program, plant, directory, uid));
  const proven = new Set(attempts.filter(({ outcome }) => outcome === 'through').map(({ name }) => name));
  return {
    plant,
    proven,
    unproven: attempts.filter(({ name }, index) => index < attempts.length / 2 && !proven.has(name)),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** In namespaces of its own, so that what takes effect does so there. */
function control(program: string, plant: string, directory: string, uid: number): readonly Attempt[] {
  const scratch = join(directory, `scratch-${uid}`);
  mkdirSync(scratch);
  chmodSync(scratch, 0o777);
  const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup', '--propagation', 'private'];
  const words = ['control', `uid=${uid}`, `plant=${plant}`, `scratch=${scratch}`, ...excess];
  return attempts(must('unshare', [...namespaces, '--fork', '--mount-proc', program, ...words]));
}

/** The program's lines. @throws where they do not end as they should: what is missing was not tried */
export function attempts(text: string): readonly Attempt[] {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.pop() !== '{"end":true}') throw new Error(`the attacks did not come to their end:\n${text.slice(-2000)}`);
  return lines.map((line) => JSON.parse(line) as Attempt);
}

/** What attacks look for, as a process of this host, or of where `enter` brings a command. */
export async function startCanary(
  plant: string,
  uid: number,
  enter: readonly string[] = [],
): Promise<{ words: readonly string[]; stop(): Promise<void> }> {
  const user = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const [command, ...args] = [...enter, ...user, join(plant, 'attack'), 'canary'];
  const child: ChildProcess = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout!).once('line', resolve);
    child.on('exit', (code) => reject(new Error(`the canary ended with ${code}`)));
  });
  return {
    words: line.split(' '),
    stop: () => {
      child.stdin!.end();
      return ended;
    },
  };
}

function must(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 180_000 });
  if (error !== undefined || status !== 0) throw error ?? new Error(`${command} ended with ${status}: ${stderr}`);
  return stdout;
}
