/** A host crippled in namespaces of its own: what the doctor says of it, what tasks get, and what is so once the doctor's advice is carried out. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { HostExamination } from '../../src/agent/examine-host.ts';
import type { CrippledHost } from './crippled-hosts.ts';

/** Of tasks on one kind of network. */
interface Mode {
  readonly predicted: string;
  readonly rung: string;
  readonly exitCode: number;
  readonly refused: string;
  readonly why: string;
}

export interface Found {
  /** Null: only the doctor was asked. */
  readonly modes: { readonly none: Mode; readonly host: Mode } | null;
  readonly doctor: HostExamination;
  readonly after: HostExamination | null;
  /** /dev/null is whose it was before any task. */
  readonly keptOwner: boolean;
}

const root = process.getuid?.() === 0;
/** What the tables tell of is a host that has everything. */
export const complete =
  root && ['/usr/bin/bwrap', '/usr/sbin/runc', '/usr/bin/unshare'].every((path) => existsSync(path));

const repository = join(import.meta.dirname, '../..');
const program = join(import.meta.dirname, 'crippled-host.mjs');

/** Built by who uses it. */
export const withoutSeccomp = join(tmpdir(), `drover-without-seccomp-${process.pid}`);

/** The map of a user namespace is written from outside, all ids onto themselves; a new shell then has its capabilities. */
const inUserNamespace = `
unshare --user --mount --propagation private sh -c 'read go <"$BIN/go"; exec sh -c "$0" sh "$@"' "$INNER" "$@" &
pid=$!
while [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
echo 0 0 4294967295 >"/proc/$pid/uid_map"; echo 0 0 4294967295 >"/proc/$pid/gid_map"; echo >"$BIN/go"; wait "$pid"`;

export async function look(
  host: Pick<CrippledHost, 'cripple' | 'user' | 'ownUserNamespace' | 'remedy' | 'remedied'>,
  env: Readonly<Record<string, string>> = {},
  timeout = 100_000,
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
  const variables = {
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
    ...env,
  };
  try {
    const { stdout, stderr } = await output([...command, process.execPath, program], variables, timeout);
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

function output(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'], timeout });
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
