/**
 * What was proved here, kept over restarts of the agent for as long as nothing changed that it rests on: the boot, the agent's ids,
 * capabilities and limits, its view of the host, and the programs that isolate. A look again (SIGHUP) starts anew.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../lib/node/directories.ts';
import { kernelLink, kernelText } from '../lib/node/kernel-file.ts';
import { readMounts } from '../lib/node/mount-table.ts';
import { closedAbove } from './passage.ts';
import { namespaceSwitches } from './remedies.ts';

export interface Proofs {
  /** What was kept under this name; `undefined`: nothing, or of another state of the host. */
  get(name: string): unknown;
  /** Kept from now on, and on the disk soon; that it cannot be written there is no error. */
  set(name: string, value: unknown): void;
  /** What was kept under this name, else what `prove` finds: asked once, whoever asks meanwhile. What it throws is not kept. */
  once<T>(name: string, prove: () => Promise<T>): Promise<T>;
}

/** Proofs of this process alone. */
export function passingProofs(): Proofs {
  return proofsIn(new Map(), () => undefined);
}

/** `file`: the agent's own. `key`: what the proofs rest on. `fresh`: those of before count no more. */
export async function openProofs(file: string, key: string, fresh: boolean): Promise<Proofs> {
  const rows = new Map<string, unknown>(Object.entries(fresh ? {} : await stored(file, key)));
  let writing = Promise.resolve();
  const write = async (): Promise<void> => {
    const text = JSON.stringify({ key, proofs: Object.fromEntries(rows) });
    makeDirectories(dirname(file), 0o700);
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  return proofsIn(rows, () => {
    writing = writing.then(write).catch(() => undefined);
  });
}

function proofsIn(rows: Map<string, unknown>, changed: () => void): Proofs {
  const asked = new Map<string, Promise<unknown>>();
  const set = (name: string, value: unknown): void => {
    if (JSON.stringify(rows.get(name)) === JSON.stringify(value)) return;
    rows.set(name, value);
    changed();
  };
  const ask = async <T>(name: string, prove: () => Promise<T>): Promise<T> => {
    try {
      const found = await prove();
      set(name, found);
      return found;
    } finally {
      asked.delete(name);
    }
  };
  return {
    get: (name) => rows.get(name),
    set,
    once<T>(name: string, prove: () => Promise<T>): Promise<T> {
      if (rows.has(name)) return Promise.resolve(rows.get(name) as T);
      const answer = (asked.get(name) as Promise<T> | undefined) ?? ask(name, prove);
      asked.set(name, answer);
      return answer;
    },
  };
}

async function stored(file: string, key: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const found = JSON.parse(await readFile(file, 'utf8')) as { readonly key?: string; readonly proofs?: object };
    return found.key === key ? { ...found.proofs } : {};
  } catch {
    return {};
  }
}

export interface ProofGround {
  readonly taskRoot: string;
  /** Programs that prove or are proved, by absolute path. */
  readonly programs: readonly string[];
  /** Whatever else was configured. */
  readonly options: unknown;
}

const tools = [
  'bwrap',
  'crun',
  'runc',
  'unshare',
  'setpriv',
  'mount',
  'nsenter',
  'newuidmap',
  'newgidmap',
  'qemu-system-x86_64',
];

/** A digest of everything that a proof rests on and that can be read in a millisecond. */
export function proofKey({ taskRoot, programs, options }: ProofGround): string {
  const self = (name: string): string => kernelText(`/proc/self/${name}`);
  const status = self('status').match(/^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp\w*):.*$/gm);
  const namespaces = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'].map((kind) =>
    kernelLink(`/proc/self/ns/${kind}`),
  );
  const path = (process.env['PATH'] ?? '').split(':').filter((each) => each.startsWith('/'));
  const found = tools.flatMap((tool) => path.map((directory) => join(directory, tool)));
  const ground = [
    kernelText('/proc/sys/kernel/random/boot_id'),
    status,
    namespaces,
    self('limits'),
    self('cgroup'),
    mountsOnTheWay(taskRoot, [
      ...found,
      ...programs,
      tmpdir(),
      '/usr',
      '/lib',
      '/lib64',
      '/etc',
      '/dev/null',
      '/dev/kvm',
    ]),
    namespaceSwitches.map(([name]) => kernelText(`/proc/sys/${name.replaceAll('.', '/')}`)),
    kernelText('/etc/subuid'),
    kernelText('/etc/subgid'),
    [...found, ...programs, process.execPath, '/dev/kvm'].map(identityOf),
    [taskRoot, ...programs].map((each) => closedAbove(each)),
    kernelText(`/sys/fs/cgroup/pids/${ownPidsGroup()}/pids.max`),
    options,
  ];
  return createHash('sha256').update(JSON.stringify(ground)).digest('hex');
}

/**
 * By place and options: those that lead to what a proof used, and the kernel's own. Others come and go with tasks and with other programs. A
 * mount at the tasks' root itself is the agent's own doing, wherever that is: by its options alone.
 */
function mountsOnTheWay(taskRoot: string, paths: readonly string[]): readonly string[] {
  const leads = (at: string): boolean =>
    at === '/' ||
    /^\/(proc|sys)(\/|$)/.test(at) ||
    [taskRoot, ...paths].some((path) => path === at || path.startsWith(`${at}/`));
  return readMounts(kernelText('/proc/self/mountinfo'))
    .filter(({ point }) => leads(point))
    .map(({ root, point, options, type, source, superOptions }) =>
      [...(point === taskRoot ? ['tasks'] : [root, point]), ...options, type, source, superOptions].join(' '),
    );
}

function ownPidsGroup(): string {
  return /^\d+:pids:(.*)$/m.exec(kernelText('/proc/self/cgroup'))?.[1] ?? '';
}

/** Null: it is not there, or may not be seen. */
function identityOf(path: string): string | null {
  try {
    const found = statSync(path);
    return [path, found.ino, found.size, found.mtimeMs, found.mode, found.uid].join(' ');
  } catch {
    return null;
  }
}
