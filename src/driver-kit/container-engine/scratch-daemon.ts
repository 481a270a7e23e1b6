/**
 * A Docker daemon of a test's own: private root, socket and pid file in a temporary directory, in a network and mount namespace of its
 * own, so that nothing of the host changes; and an image made of the host's static busybox, for there is no registry.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, chown, link, mkdir, mkdtemp, readdir, readFile, rm, rmdir, statfs, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeDirectories } from '../../lib/node/directories.ts';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient } from './engine-client.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const startLimitMs = 40_000;
const hostEnv = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

export const scratchImage = 'drover-test/busybox:1';

/** What is missing for such a daemon; empty: nothing. */
export const lackingForDaemon: readonly string[] = lacking('dockerd', 'containerd', 'busybox', 'unshare', 'iptables');

/** Podman's service in docker's place; empty: nothing is missing. */
export const lackingForPodman: readonly string[] = lacking(
  'podman',
  'conmon',
  'netavark',
  'runc',
  'busybox',
  'unshare',
);

function lacking(...programs: readonly string[]): readonly string[] {
  const folders = [
    '/usr/sbin',
    '/usr/bin',
    '/bin',
    '/sbin',
    '/usr/local/bin',
    '/usr/lib/podman',
    '/usr/libexec/podman',
  ];
  const missing = programs.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  return [...(process.getuid?.() === 0 ? [] : ['root']), ...missing];
}

export type ScratchEngine = 'docker' | 'podman';

export interface ScratchOptions {
  readonly engine?: ScratchEngine;
  readonly liveRestore?: boolean;
  /** Of what it keeps; 0: as large as the host's. */
  readonly diskMb?: number;
  /** Podman's service of an ordinary user, who is known in the namespaces of this daemon alone. */
  readonly rootless?: boolean;
  /** Docker's containers have user namespaces (`--userns-remap=default`): their ids are `remappedFirst` and on. */
  readonly remapped?: boolean;
  /** Docker's daemon also listens by TCP, without TLS, on a port of this process's loopback: `endpointByTcp`. */
  readonly tcp?: boolean;
}

export const remappedFirst = 1_800_000_000;

/** Of whom the service of podman is, where it is not of root. */
export const ordinaryUser = 1500;

export class ScratchDaemon {
  readonly root: string;
  readonly socket: string;
  readonly client: EngineClient;
  readonly #liveRestore: boolean;
  readonly engine: ScratchEngine;
  /** Of what it keeps; 0: as large as the host's. */
  readonly #diskMb: number;
  readonly #rootless: boolean;
  readonly #remapped: boolean;
  readonly #tcp: boolean;
  #port = 0;
  #child: ChildProcess | null = null;
  #holder: ChildProcess | null = null;
  #output = '';

  private constructor(root: string, options: Required<ScratchOptions>) {
    const { engine, liveRestore, diskMb, rootless, remapped, tcp } = options;
    this.#diskMb = diskMb;
    this.#rootless = rootless;
    this.#remapped = remapped;
    this.#tcp = tcp;
    this.engine = engine;
    this.root = root;
    this.socket = join(root, 'user', 'docker.sock');
    this.client = new EngineClient(engine, parseEndpoint(this.socket));
    this.#liveRestore = liveRestore;
  }

  static async open(options: ScratchOptions = {}): Promise<ScratchDaemon> {
    const root = await mkdtemp(join(tmpdir(), 'drover-docker-'));
    const usual = {
      engine: 'docker',
      liveRestore: false,
      diskMb: 0,
      rootless: false,
      remapped: false,
      tcp: false,
    } as const;
    const daemon = new ScratchDaemon(root, { ...usual, ...options });
    try {
      await daemon.#makeUser();
      await daemon.start();
      await daemon.#makeImage();
    } catch (error) {
      await daemon.close();
      throw error;
    }
    return daemon;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get endpoint(): string {
    return `unix://${this.socket}`;
  }

  get endpointByTcp(): string {
    return `tcp://127.0.0.1:${this.#port}`;
  }

  /** A socket stays in the network where it was made: one is passed on, as a service manager does; this process must not answer it. */
  async #listening(): Promise<{ readonly passed: readonly number[]; close(): void }> {
    if (!this.#tcp) return { passed: [], close: () => undefined };
    const server = createServer().listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    // Node passes it by its number alone
    const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
    return { passed: [fd], close: () => server.close() };
  }

  /** Also again, after a death: on the same root. */
  async start(): Promise<void> {
    await rm(join(this.root, 'docker.pid'), { force: true });
    // podman's own default limits may be more than this host gives
    const limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';
    await writeFile(join(this.root, 'containers.conf'), limits);
    // as docker's do: registries on the loopback need no certificate (but on port 5002)
    const open = [5000, 5001].map((port) => `[[registry]]\nlocation = "127.0.0.1:${port}"\ninsecure = true\n`);
    await writeFile(join(this.root, 'registries.conf'), open.join(''));
    const holder = await this.#namespaces();
    for (let attempt = 1; ; attempt++) {
      const socket = await this.#listening();
      const child = spawn('nsenter', ['-t', String(holder), '-n', '-m', ...this.#asUser(), ...this.#command()], {
        stdio: ['ignore', 'pipe', 'pipe', ...socket.passed],
        env: {
          ...hostEnv,
          CONTAINERS_CONF: join(this.root, 'containers.conf'),
          CONTAINERS_REGISTRIES_CONF: join(this.root, 'registries.conf'),
        },
      });
      this.#child = child;
      socket.close();
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (part: Buffer) => {
          this.#output = `${this.#output}${part.toString()}`.slice(-8_000);
        });
      if (await this.#answers(child)) return;
      await this.kill('SIGKILL');
      // on a busy machine its containerd may be late
      if (attempt === 3)
        throw new Error(`${this.engine} does not start here:\n${this.#output.split('\n').slice(-15).join('\n')}`);
    }
  }

  /** Where the user may write, who with root is root. */
  async #makeUser(): Promise<void> {
    await mkdir(join(this.root, 'user'));
    const name = this.#ownUser();
    if (name === null) return;
    await chmod(this.root, 0o755);
    if (this.#rootless) await chown(join(this.root, 'user'), ordinaryUser, ordinaryUser);
    await writeFile(join(this.root, 'subuid'), `${name}:${remappedFirst}:65536\n`);
    const [passwd, group] = [await readFile('/etc/passwd', 'utf8'), await readFile('/etc/group', 'utf8')];
    await writeFile(
      join(this.root, 'passwd'),
      `${passwd}${name}:x:${ordinaryUser}:${ordinaryUser}::${this.root}/user:/bin/sh\n`,
    );
    await writeFile(join(this.root, 'group'), `${group}${name}:x:${ordinaryUser}:\n`);
  }

  /** Known in the namespaces of this daemon alone; docker has a name of its own for the one whose ids containers get. */
  #ownUser(): string | null {
    if (this.#rootless) return 'drover';
    return this.#remapped ? 'dockremap' : null;
  }

  #asUser(): readonly string[] {
    if (!this.#rootless) return [];
    const ids = [`--reuid=${ordinaryUser}`, `--regid=${ordinaryUser}`, '--clear-groups', '--inh-caps=-all'];
    return ['setpriv', ...ids, 'env', `HOME=${this.root}/user`, `XDG_RUNTIME_DIR=${this.root}/user`];
  }

  #command(): readonly string[] {
    const at = (name: string): string => join(this.root, this.#rootless ? 'user' : '', name);
    if (this.engine === 'podman')
      return [
        ...['podman', '--root', at('data'), '--runroot', at('exec'), '--tmpdir', at('tmp'), '--storage-driver', 'vfs'],
        ...[
          '--cgroup-manager',
          'cgroupfs',
          '--events-backend',
          'file',
          '--runtime',
          'runc',
          '--network-backend',
          'netavark',
          '--network-config-dir',
          at('networks'),
        ],
        ...['system', 'service', '--time', '0', this.endpoint],
      ];
    const passed = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" -H fd://';
    return [
      ...(this.#tcp ? ['sh', '-c', passed, 'sh'] : []),
      ...['dockerd', '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid')],
      ...['-H', this.endpoint, '--storage-driver', 'vfs', '--cgroup-parent', `/drover-docker-${process.pid}`],
      ...['--shutdown-timeout', '2', ...(this.#liveRestore ? ['--live-restore'] : [])],
      ...(this.#remapped ? ['--userns-remap=default'] : []),
    ];
  }

  async #answers(child: ChildProcess): Promise<boolean> {
    for (const deadline = Date.now() + startLimitMs; Date.now() < deadline; await sleep(100)) {
      const answer = await this.client.text('GET', '/_ping', { signal: never, timeoutMs: 2_000 }).catch(() => '');
      if (answer === 'OK') return true;
      if (child.exitCode !== null) return false;
    }
    return false;
  }

  /** One pair for all lives of the daemon; its containers' binds follow mounts that the host makes later. */
  async #namespaces(): Promise<number> {
    if (this.#holder === null) {
      const namespaces = ['--net', '--mount', '--propagation', 'slave'];
      const files = this.#ownUser() !== null ? ['subuid:subuid', 'subuid:subgid', 'passwd:passwd', 'group:group'] : [];
      const binds = files.map((each) => `mount --bind ${this.root}/${each.replace(':', ' /etc/')} && `).join('');
      // podman looks for the packages of its programs each time that it is asked about itself
      const packages = '[ ! -e /usr/bin/dpkg ] || mount --bind /bin/false /usr/bin/dpkg';
      const script = `ip link set lo up 2>/dev/null; ${packages}; ${binds}echo ready; exec sleep 86400`;
      const holder = spawn('unshare', [...namespaces, 'sh', '-c', script], {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: hostEnv,
      });
      await new Promise((resolve, reject) => {
        holder.stdout.once('data', resolve);
        holder.once('exit', () => reject(new Error('no namespaces can be made here')));
      });
      this.#holder = holder;
      await this.#limitDisk();
    }
    return this.#holder.pid ?? 0;
  }

  /** Seen by the daemon and its containers alone; it goes with their namespace. */
  async #limitDisk(): Promise<void> {
    if (this.#diskMb === 0) return;
    const data = join(this.root, 'data');
    await mkdir(data);
    const mount = ['mount', '-t', 'tmpfs', '-o', `size=${this.#diskMb}m`, 'tmpfs', data];
    await run('nsenter', ['-t', String(this.#holder!.pid), '-m', ...mount], { env: hostEnv });
  }

  async diskFreeMb(): Promise<number> {
    const data = `/proc/${this.#holder?.pid}/root${join(this.root, 'data')}`;
    const { bavail, bsize } = await statfs(data);
    return (bavail * bsize) / 1024 / 1024;
  }

  /** Resolves when the daemon (not its containers) has ended. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Another name for an image that is there. */
  async tag(image: string, repo: string, tag: string): Promise<void> {
    await this.client.text('POST', `/images/${encodeURIComponent(image)}/tag`, { query: { repo, tag }, signal: never });
  }

  /** Runs the host's program inside the daemon's network. */
  async inNetwork(...command: string[]): Promise<string> {
    const { stdout } = await run('nsenter', [`--net=/proc/${this.pid}/ns/net`, ...command], { env: hostEnv });
    return stdout;
  }

  async close(): Promise<void> {
    const rows = await this.client
      .json('GET', '/containers/json', { query: { all: 'true' }, signal: never })
      .catch(() => []);
    for (const row of Array.isArray(rows) ? (rows as { readonly Id: string }[]) : [])
      await this.client
        .text('DELETE', `/containers/${row.Id}`, { query: { force: 'true' }, signal: never })
        .catch(() => '');
    await this.kill('SIGTERM');
    await this.#endContainerd();
    this.#holder?.kill('SIGKILL');
    await rm(this.root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }).catch(() => {});
    await removeGroups(`drover-docker-${process.pid}`);
  }

  /** A daemon that was killed leaves its containerd, and that its shims; podman's of a user what holds its namespaces. */
  async #endContainerd(): Promise<void> {
    const marked = await processesWith(this.root);
    for (const pid of marked) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended
      }
    }
    for (let attempt = 0; attempt < 50 && (await processesWith(this.root)).length > 0; attempt++) await sleep(50);
  }

  async #makeImage(): Promise<void> {
    const root = join(this.root, 'image');
    makeDirectories(join(root, 'bin'));
    for (const name of ['etc', 'tmp', 'proc', 'sys', 'dev']) await mkdir(join(root, name));
    await writeFile(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    );
    await writeFile(join(root, 'etc/group'), 'root:x:0:\nnobody:x:65534:\n');
    const busybox = existsSync('/bin/busybox') ? '/bin/busybox' : '/usr/bin/busybox';
    await run('cp', [busybox, join(root, 'bin/busybox')]);
    const { stdout } = await run(busybox, ['--list']);
    // as the busybox of the hub has them: a daemon that copies the image for each container makes one file of them
    for (const name of stdout.split('\n').filter((each) => each !== '' && each !== 'busybox'))
      await link(join(root, 'bin/busybox'), join(root, 'bin', name));
    const tar = join(this.root, 'image.tar');
    await run('tar', ['-C', root, '-cf', tar, '.']);
    const [name = '', tag = ''] = scratchImage.split(':');
    // podman takes a name without a host for one of the hub's
    const repo = this.engine === 'podman' ? `localhost/${name}` : name;
    await this.client.text('POST', '/images/create', {
      query: { fromSrc: '-', repo, tag },
      headers: { 'Content-Type': 'application/x-tar' },
      body: createReadStream(tar),
      signal: never,
    });
    // podman 4 imports everything as :latest
    if (this.engine === 'podman') await this.tag(`${repo}:latest`, repo, tag);
  }
}

/** Processes whose command line or environment names the directory: only ours do. What holds podman's namespaces has the second alone. */
async function processesWith(directory: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const [line, environment] = await Promise.all([read('cmdline'), read('environ')]);
      return `${line}${environment}`.includes(`${directory}/`) ? Number(pid) : null;
    }),
  );
  return found.filter((each) => each !== null);
}

/** The parents under which the daemon made its groups, in every hierarchy, with what ended containers left a moment longer. */
async function removeGroups(name: string): Promise<void> {
  for (const hierarchy of await readdir('/sys/fs/cgroup').catch(() => [])) {
    const path = join('/sys/fs/cgroup', hierarchy, name);
    for (let attempt = 0; attempt < 20 && existsSync(path); attempt++) {
      if (attempt > 0) await sleep(100);
      for (const child of await readdir(path, { withFileTypes: true }).catch(() => []))
        if (child.isDirectory()) await rmdir(join(path, child.name)).catch(() => {});
      await rmdir(path).catch(() => {});
    }
  }
}
