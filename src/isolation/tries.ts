/**
 * The full set of the verifier: each thing that a line of the ladder forbids, tried from inside (`native/verify/tries.h`). A try that was
 * stopped proves something only where the same took effect with nothing in its way: the control.
 */
import { spawn } from '../lib/node/spawn.ts';
import type { Mechanism } from './lines.ts';
import { runChild } from './mechanisms/probe.ts';

export interface Try {
  /** Of the ladder, e.g. `seccomp`. */
  readonly line: string;
  /** What was tried: `"keyctl"`, `"the host's loopback"`. */
  readonly name: string;
  readonly outcome: 'through' | 'stopped' | 'absent' | 'cut_off';
}

/** What one way of isolating was shown to stop; plain data, kept with the proofs. */
export type Tried = Readonly<Record<string, TriedLine>>;

interface TriedLine {
  readonly stopped: number;
  readonly through: readonly string[];
  /** Which did not come to their end, however often they were tried. */
  readonly cutOff: readonly string[];
}

/** Where tasks have the agent's uid, the kernel counts everything that runs under it with them: it is given room, and not tried to be filled. */
const ownUids = process.getuid?.() === 0;
/** What is cut off is tried again, so often in all. */
export const triedRounds = 3;
/** What a trial task may have; of the processor half a core. */
export const trialLimits = { pids: ownUids ? 64 : 512, memoryMb: 64, cores: 0.5, diskMb: 8 } as const;
/** What is bounded by rlimits alone gets four times the memory of a trial task, 256 MB. */
const excess = [
  ...(ownUids ? [`processes=${2 * trialLimits.pids}`] : []),
  `processor_percent=${100 * trialLimits.cores}`,
  `memory_mb=${5 * trialLimits.memoryMb}`,
  `memory_limit_mb=${trialLimits.memoryMb}`,
];

/** As the task's own command: what the verifier is called with, wherever it is. The first of a name counts. */
export function tryWords(nonce: string, words: readonly string[]): readonly string[] {
  return [`nonce=${nonce}`, ...words, ...excess];
}

/**
 * Lines of another nonce are nobody's. `outOfMemory`: all of the task was ended because its group had all the memory that it may; it is the last
 * try that takes so much. Null: they did not come to their end.
 */
export function readTries(text: string, nonce: string, outOfMemory: boolean): readonly Try[] | null {
  const rows = text
    .split('\n')
    .map((row) => /^(\S+) (\S+) (through|stopped|absent|cut_off|-) \S+ (.+)$/.exec(row))
    .filter((row) => row?.[1] === nonce);
  const tries = rows
    .filter((row) => row?.[2] !== 'end')
    .map((row) => ({ line: row![2]!, outcome: row![3] as Try['outcome'], name: row![4]! }));
  if (rows.length > tries.length) return tries;
  // a group that ends as one ends with the last try
  return tries.at(-1)?.line === 'pids_limit' && outOfMemory ? [...tries, { ...memoryTry, outcome: 'stopped' }] : null;
}

const memoryTry = { line: 'memory_limit', name: 'more memory than allowed' } as const;

/** What was found of each in any of several rounds: one that took effect once did, and one that was cut off once says nothing of the others. */
export function mergeTries(rounds: readonly (readonly Try[])[]): readonly Try[] {
  const found = new Map<string, Try>();
  for (const each of rounds.flat()) {
    const before = found.get(nameOf(each))?.outcome ?? 'cut_off';
    if (before === 'cut_off' || each.outcome === 'through') found.set(nameOf(each), each);
  }
  return [...found.values()];
}

/** They came to their end, each of them. */
export function areWhole(tries: readonly Try[]): boolean {
  return tries.every(({ outcome }) => outcome !== 'cut_off');
}

const nameOf = ({ line, name }: Try): string => `${line} ${name}`;

/** `proven`: what took effect in the control. */
export function judgeTries(tries: readonly Try[], proven: ReadonlySet<string>): Tried {
  const found: Record<string, { stopped: number; through: string[]; cutOff: string[] }> = {};
  for (const each of tries) {
    if (each.outcome === 'absent') continue;
    found[each.line] ??= { stopped: 0, through: [], cutOff: [] };
    if (each.outcome === 'through') found[each.line]!.through.push(each.name);
    else if (each.outcome === 'cut_off') found[each.line]!.cutOff.push(each.name);
    else if (proven.has(nameOf(each))) found[each.line]!.stopped++;
  }
  return found;
}

/** A line that a try got past is not there, whatever the host sees, nor is one of which a try was cut off; others say how often they held. */
export function withTries(mechanisms: readonly Mechanism[], tried: Tried): readonly Mechanism[] {
  return mechanisms.map((each) => {
    const found = tried[each.name];
    if (each.state !== 'verified' || found === undefined) return each;
    if (found.through.length > 0)
      return { ...each, state: 'unavailable', evidence: `tried from inside: ${found.through.join(', ')} took effect` };
    if (found.cutOff.length > 0)
      return { ...each, state: 'unavailable', evidence: `tried from inside: ${found.cutOff.join(', ')} was cut off` };
    const times = found.stopped === 1 ? '1 try' : `${found.stopped} tries`;
    return found.stopped === 0 ? each : { ...each, evidence: `${each.evidence}; ${times} from inside stopped` };
  });
}

/** Where nothing could be tried, nothing is given. */
export function untried(mechanisms: readonly Mechanism[]): readonly Mechanism[] {
  return mechanisms.map((each) =>
    each.state === 'verified'
      ? { ...each, state: 'unavailable', evidence: `${each.evidence}; could not be tried` }
      : each,
  );
}

/** Things of the host for tasks not to reach; `words` say where they are. */
export interface Canary {
  readonly words: readonly string[];
  remove(): void;
}

export async function startCanary(verifier: string): Promise<Canary> {
  const child = spawn(verifier, ['canary'], { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
  // it may be gone before it is told to
  child.stdin.on('error', () => undefined);
  const words = await new Promise<readonly string[]>((resolve) => {
    child.stdout.setEncoding('utf8').once('data', (line: string) => resolve(line.trim().split(' ')));
    child.on('error', () => resolve([]));
    child.on('close', () => resolve([]));
  });
  return { words, remove: () => void child.stdin.end() };
}

/**
 * The same tries where nothing protects, as the agent's user: names of those that took effect; null: they did not come to their end.
 * Root tries them in mounts and with host names of its own, so that nothing of the host is changed.
 */
export async function controlTries(verifier: string, words: readonly string[]): Promise<readonly string[] | null> {
  const apart = ['unshare', '--mount', '--uts', '--propagation', 'private', '--'];
  // one descriptor too many is left open for it
  const opened = ['sh', '-c', 'exec 9</dev/null "$0" try "$@"', verifier, ...tryWords('control', words)];
  const command = process.getuid?.() === 0 ? [...apart, ...opened] : opened;
  const rounds: (readonly Try[])[] = [];
  while (rounds.length < triedRounds) {
    const found = readTries((await runChild(command, { timeoutMs: 180_000 })).stdout, 'control', false);
    if (found === null) break;
    rounds.push(found);
    if (areWhole(mergeTries(rounds))) break;
  }
  const tries = mergeTries(rounds);
  return rounds.length === 0 ? null : tries.filter(({ outcome }) => outcome === 'through').map(nameOf);
}
