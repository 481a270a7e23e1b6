/**
 * Run inside the guest, in a host that was made poorer: what the doctor says of it, and again once its advice is carried out. Writes a line of
 * JSON to the file it is given.
 *
 *     node look.mjs NAME FILE [carry-out]
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examineHost, type HostExamination } from '../../src/agent/examine-host.ts';

export interface Look {
  readonly name: string;
  readonly found: HostExamination;
  /** After what the doctor advises first was done. */
  readonly after: HostExamination | null;
  /** Why it could not be. */
  readonly why: string;
  readonly seconds: number;
}

const [name = '', file = '', carry] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'drover-look-'));
chmodSync(scratch, 0o711);

/** What the rungs rest on: the others are many programs each, and in an emulated machine they are never in time. */
const matters = /^(runtime\.(bwrap|runc|crun)|cgroup|namespace|seccomp|capabilities|no_new_privs|reachable)/;

/** An emulated machine reads each program for the first time so slowly that probes give up. */
async function look(): Promise<HostExamination> {
  for (let round = 1; ; round++) {
    const options = {
      stateDirectory: join(scratch, `state-${round}`),
      dataDirectory: scratch,
      cgroupParent: 'drover.slice',
    };
    const found = await examineHost(options);
    const late = found.Mechanisms.filter(({ Evidence }) => Evidence.startsWith('no answer within'));
    if (round === 3 || !late.some(({ Name }) => matters.test(Name))) return found;
  }
}

const found = await look();
/** Where the agent is to be started by a shell, what that shell becomes looks; else this process does, which was all that was in its group. */
async function carriedOut(commands: readonly string[]): Promise<HostExamination> {
  const again = join(scratch, 'again');
  const text = commands.join('\n').replace('drover agent …', '"$@"');
  const program = [process.execPath, process.argv[1]!, name, again];
  execFileSync('sh', ['-ec', text, 'sh', ...program], { stdio: ['ignore', 'inherit', 'pipe'] });
  return existsSync(again) ? (JSON.parse(readFileSync(again, 'utf8')) as Look).found : look();
}

let after: HostExamination | null = null;
let why = '';
try {
  if (carry !== undefined) after = await carriedOut((found.Climbs[0]?.Remedies ?? []).map(({ Command }) => Command));
} catch (error) {
  why = (error as Error).message;
}
const seconds = Math.round(performance.now() / 1000);
appendFileSync(file, `${JSON.stringify({ name, found, after, why, seconds } satisfies Look)}\n`);
rmSync(scratch, { recursive: true, force: true });
console.info(`${name}: ${seconds} s, load ${readFileSync('/proc/loadavg', 'utf8').trim()}`);
