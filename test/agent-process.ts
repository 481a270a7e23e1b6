/** A real agent in a process of its own, with its own directories and port; ended by pid, with everything it left. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type DroverClient } from '../src/api-client/index.ts';
import { httpTransport } from '../src/lib/node/http-transport.ts';
import { keepProofs, lendProofs } from './shared-proofs.ts';

const root = join(import.meta.dirname, '..');
export const drover = join(root, 'bin/drover.js');

export interface AgentOptions {
  /** Merged over the defaults of a single node in dev-like settings. */
  readonly config?: Record<string, unknown>;
  /** Default `['-server', '-client']`. */
  readonly args?: readonly string[];
  /** Run as this uid and gid (needs root). */
  readonly user?: number;
  readonly env?: Record<string, string>;
  /** Another copy of the program. */
  readonly program?: string;
  /** What the agent's command line is started by: `unshare`, `strace`, … */
  readonly wrap?: (command: readonly string[], directory: string) => readonly string[];
  /** An agent's directory from before: the same node again. */
  readonly directory?: string;
  readonly port?: number;
  /** Default: two minutes, which a machine that is emulated does not hold. */
  readonly readyWithinMs?: number;
}

export interface AgentProcess {
  readonly address: string;
  readonly port: number;
  readonly directory: string;
  readonly client: DroverClient;
  readonly pid: number;
  log(): string;
  /** SIGKILL to the agent alone: its tasks go on. */
  crash(): Promise<void>;
  /** Ctrl-C; tasks go on unless the agent is in dev mode. */
  interrupt(): Promise<number | null>;
  /** Starts the agent again on the same directory and port. */
  restart(): Promise<AgentProcess>;
  /** Stops every job, waits for its tasks' end, stops the agent, removes its directory. */
  dispose(): Promise<void>;
}

export async function startAgent(options: AgentOptions = {}): Promise<AgentProcess> {
  const directory = options.directory ?? makeDirectory(options.user);
  if (sharesProofs(options))
    lendProofs({ directory, uid: options.user ?? process.getuid!(), cgroupParent: groupOf(options) });
  const port = options.port ?? (await freePort());
  const config = {
    name: 'node1',
    data_dir: join(directory, 'data'),
    log_level: 'DEBUG',
    ports: { http: port },
    plugin: { raw_exec: { config: { enabled: true } } },
    ...options.config,
  };
  const configFile = join(directory, 'agent.json');
  writeFileSync(configFile, JSON.stringify(config), { mode: 0o644 });
  const logFile = join(directory, 'agent.log');
  const output = openSync(logFile, 'a');
  const args = [options.program ?? drover, 'agent', ...(options.args ?? ['-server', '-client']), '-config', configFile];
  const plain = [process.execPath, ...args];
  const own = options.user === undefined ? plain : asUser(options.user, plain);
  const command = options.wrap === undefined ? own : options.wrap(own, directory);
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'], HOME: directory, ...options.env },
    detached: true,
  });
  const address = `http://127.0.0.1:${port}`;
  const client = connect({ transport: httpTransport({ address }) });
  const log = (): string => readFileSync(logFile, 'utf8');
  const { readyWithinMs = 120_000 } = options;
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Ended(`the agent ended with ${child.exitCode ?? child.signalCode}:\n${log()}`);
        return (await client.agent.health()).value;
        // asking takes the processor from what is asked for
      },
      readyWithinMs,
      readyWithinMs / 2000,
    );
  } catch (error) {
    child.kill('SIGKILL');
    throw error instanceof Ended ? error : new Error(`the agent is not ready: ${String(error)}\n${log()}`);
  }
  return {
    address,
    port,
    directory,
    client,
    pid: child.pid!,
    log,
    ...lifetime(child, options, directory, port, client),
  };
}

/** Not on a host that was made for one test, which is there to see what its agent finds. */
const sharesProofs = ({ directory, wrap, env, program }: AgentOptions): boolean =>
  directory === undefined && wrap === undefined && env === undefined && program === undefined;

const groupOf = ({ config }: AgentOptions): string =>
  (config?.['client'] as { readonly cgroup_parent?: string } | undefined)?.cgroup_parent ?? '';

class Ended extends Error {}

function lifetime(child: ChildProcess, options: AgentOptions, directory: string, port: number, client: DroverClient) {
  const exited = new Promise<number | null>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    child.on('exit', (code) => resolve(code));
  });
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    crash: async () => {
      await end('SIGKILL');
    },
    interrupt: () => end('SIGINT'),
    restart: () => startAgent({ ...options, directory, port }),
    dispose: async () => {
      await stopAllJobs(client, join(directory, 'data', 'alloc')).catch(() => {});
      client.close();
      await Promise.race([end('SIGINT'), new Promise((resolve) => setTimeout(resolve, 10_000))]);
      await end('SIGKILL');
      keepProofs({ directory });
      unmountBelow(directory);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function stopAllJobs(client: DroverClient, allocDir: string): Promise<void> {
  const { value: jobs } = await client.jobs.list({ query: { namespace: '*' } });
  for (const job of jobs) await client.jobs.deregister(job.ID, { purge: true });
  await eventually(async () => {
    const { value } = await client.allocations.list();
    const left = value.filter((row) => row.ClientStatus === 'running' || row.ClientStatus === 'pending');
    if (left.length > 0) throw new Error(`${left.length} allocations still run`);
  }, 15_000);
  await client.agent.collectGarbage();
  await eventually(() => {
    // what begins with a dot is the agent's own
    if (existsSync(allocDir) && readdirSync(allocDir).some((name) => !name.startsWith('.')))
      throw new Error('directories of allocations are left');
  }, 5_000);
}

/** What an agent that was killed could not unmount any more; nothing outside its own directory. */
function unmountBelow(directory: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).reverse()) {
    // a program of a plugin may still be ending in it
    if (spawnSync('umount', [mount]).status !== 0) spawnSync('umount', ['-l', mount]);
  }
}

function makeDirectory(user: number | undefined): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-agent-'));
  mkdirSync(join(directory, 'data'), { mode: 0o755 });
  for (const path of [directory, join(directory, 'data')]) {
    if (user !== undefined) chownSync(path, user, user);
    chmodSync(path, 0o755);
  }
  return directory;
}

function asUser(uid: number, command: readonly string[]): string[] {
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--', ...command];
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Asks again until it does not throw; the last error after the time. Whoever has waited long is asked less often, and whoever answers slowly has
 * a rest as long: what asks takes the processor from what is waited for.
 */
export async function eventually<T>(attempt: () => Promise<T> | T, timeoutMs = 60_000, everyMs = 50): Promise<T> {
  const began = Date.now();
  for (;;) {
    const asked = Date.now();
    try {
      return await attempt();
    } catch (error) {
      const now = Date.now();
      if (error instanceof Ended || now > began + timeoutMs) throw error;
      const restMs = Math.max(everyMs, Math.min(250, (now - began) / 20), Math.min(500, now - asked));
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  }
}
