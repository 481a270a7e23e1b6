/**
 * What is left of the ladder where something is missing: each host is this one, crippled in namespaces of its own. On each a task runs at
 * exactly the rung that is left and that was foretold, its floor refuses it above, and the doctor names what was lost. Control: the host
 * as it is gives more.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostExamination } from '../../src/agent/examine-host.ts';
import { rungs } from '../../src/model/isolation-ladder.ts';
import { type CrippledHost, crippledHosts } from './crippled-hosts.ts';

interface Mode {
  readonly predicted: string;
  readonly rung: string;
  readonly exitCode: number;
  readonly refused: string;
  readonly why: string;
}

interface Found {
  readonly modes: { readonly none: Mode; readonly host: Mode };
  readonly doctor: HostExamination;
  readonly after: HostExamination | null;
}

const repository = join(import.meta.dirname, '../..');
const program = join(import.meta.dirname, 'crippled-host.mjs');

const withoutSeccomp = join(tmpdir(), `drover-without-seccomp-${process.pid}`);

/** The map of a user namespace is written from outside, all ids onto themselves; a new shell then has its capabilities. */
const inUserNamespace = `
unshare --user --mount --propagation private sh -c 'read go <"$BIN/go"; exec sh -c "$0" sh "$@"' "$INNER" "$@" &
pid=$!
while [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
echo 0 0 4294967295 >"/proc/$pid/uid_map"; echo 0 0 4294967295 >"/proc/$pid/gid_map"; echo >"$BIN/go"; wait "$pid"`;

async function look(
  host: Pick<CrippledHost, 'cripple' | 'user' | 'ownUserNamespace' | 'remedy' | 'remedied'>,
): Promise<Found> {
  const root = mkdtempSync(join(tmpdir(), 'drover-crippled-'));
  chmodSync(root, 0o755);
  for (const name of ['bin', 'data']) {
    mkdirSync(join(root, name));
    chmodSync(join(root, name), 0o777);
  }
  spawnSync('mkfifo', [join(root, 'bin/go')]);
  const as = host.user === undefined ? '' : `setpriv --reuid ${host.user} --regid ${host.user} --clear-groups`;
  const inner = `${host.cripple}; exec ${as} "$@"`;
  const command =
    host.ownUserNamespace === true
      ? ['sh', '-c', inUserNamespace, 'sh']
      : ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', inner, 'sh'];
  const env = {
    ...process.env,
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
    INNER: inner,
    BIN: join(root, 'bin'),
    CGROUP: basename(root),
    DATA: join(root, 'data'),
    DATA_DIR: join(root, 'data'),
    TMPDIR: join(root, 'data'),
    WITHOUT_SECCOMP: withoutSeccomp,
    NATIVE: join(repository, 'build/native'),
    PREBUILT: join(repository, `prebuilt/linux-${process.arch}`),
    CARRY_OUT: host.remedy === undefined || host.remedied !== undefined ? '' : '1',
  };
  try {
    const { stdout, stderr } = await output([...command, process.execPath, program], env);
    if (!stdout.startsWith('{')) throw new Error(`nothing was found out: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Found;
  } finally {
    rmSync(root, { recursive: true, force: true });
    // a host that cannot write its groups cannot remove them: this one can
    const named = ['(', '-path', `*/${basename(root)}*`, '-o', '-name', 'drover-tasks', ')'];
    const groups = ['/sys/fs/cgroup', '-depth', '-type', 'd', ...named];
    spawnSync('find', [...groups, '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
  }
}

function output(command: readonly string[], env: NodeJS.ProcessEnv): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 100_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', () => resolve({ stdout, stderr }));
  });
}

const rank = (rung: string): number => (rungs as readonly string[]).indexOf(rung);
const root = process.getuid?.() === 0;
const complete = root && ['/usr/bin/bwrap', '/usr/sbin/runc', '/usr/bin/unshare'].every((path) => existsSync(path));

// the table tells of a host that has everything: root, bubblewrap, runc and cgroups of version 1
describe.skipIf(!complete)('on a crippled host', () => {
  let whole: Found;

  beforeAll(async () => {
    execFileSync('cc', ['-static', '-o', withoutSeccomp, join(import.meta.dirname, 'without-seccomp.c')]);
    whole = await look({ cripple: ':' });
  }, 120_000);
  afterAll(() => rmSync(withoutSeccomp, { force: true }));

  it('(control) nothing is lost where nothing is taken away', ({ skip }) => {
    if (!whole.doctor.Cgroups.startsWith('hybrid') && !whole.doctor.Cgroups.startsWith('v1')) skip('not a v1 host');
    expect([whole.modes.none.rung, whole.modes.host.rung]).toEqual(['container', 'sandbox']);
  });

  it.each(crippledHosts.map((host) => [host.name, host] as const))('%s', { timeout: 120_000 }, async (_, host) => {
    const { modes, doctor, after } = await look(host);
    expect({ own: modes.none.rung, host: modes.host.rung }).toEqual(host.rungs);
    if (host.rungs.host !== 'refused') expect(modes.host.why).toBe('');
    for (const mode of [modes.none, modes.host]) {
      if (host.why !== undefined) expect(mode.why).toMatch(host.why);
      expect(mode.predicted).toBe(mode.rung === 'refused' ? 'none' : mode.rung);
      if (mode.rung === 'refused') continue;
      expect(mode.exitCode).toBe(0);
      expect(mode.refused).toMatch(/isolation floor ".*" is not reached.*missing: \w/);
    }
    if (host.lost !== undefined)
      expect(doctor.Mechanisms.filter(({ Ok }) => !Ok).map(({ Name }) => Name)).toContain(host.lost);
    if (host.remedy === undefined) return;
    const [climb] = doctor.Climbs;
    expect(climb?.Remedies.map(({ Command }) => Command)).toEqual([expect.stringMatching(host.remedy)]);
    const { OwnNetwork, HostNetwork } = host.remedied === undefined ? after! : (await look(host.remedied)).doctor;
    const reached = Math.max(rank(OwnNetwork.Rung), rank(HostNetwork.Rung));
    expect(reached, JSON.stringify({ OwnNetwork, HostNetwork })).toBeGreaterThanOrEqual(rank(climb!.Rung));
  });
});
