/** What the tests of docker and podman stand on: a daemon and a host of their own, tasks of the local image. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EngineDriver, Fingerprint, IsolationReport, TaskConfig, TaskExit } from '../../driver/contract.ts';
import type { DriverSuite } from '../../driver-kit/conformance.ts';
import { ScratchDaemon, type ScratchOptions, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { podman } from '../podman/index.ts';
import { docker } from './index.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

type ScratchDockerOptions = ScratchOptions & { readonly seesMounts?: boolean };

export interface Ran {
  readonly exit: TaskExit;
  readonly isolation: IsolationReport;
  readonly stdout: string;
  readonly stderr: string;
}

export class ScratchDocker {
  readonly host: ScratchHost;
  readonly daemon: ScratchDaemon;
  readonly #opened: OpenDriver[] = [];
  /** Mounted on itself. */
  readonly #shared: string | null;

  private constructor(host: ScratchHost, daemon: ScratchDaemon, shared: string | null) {
    this.#shared = shared;
    this.host = host;
    this.daemon = daemon;
  }

  /** `seesMounts`: the daemon sees what is mounted below the host's directories later, as it does where an init made `/` shared. */
  static async open({ seesMounts = true, ...options }: ScratchDockerOptions = {}): Promise<ScratchDocker> {
    const host = await openScratchHost({ isolation: true });
    const shared = seesMounts && process.getuid?.() === 0 ? host.scratch.root : null;
    try {
      if (shared !== null) await run('mount', ['--bind', '--make-shared', shared, shared]);
      return new ScratchDocker(host, await ScratchDaemon.open(options), shared);
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /** A driver of its own over the same daemon, as after a restart of the agent. */
  driver(config: Record<string, unknown> = {}): OpenDriver {
    const { endpoint, engine } = this.daemon;
    const opened =
      engine === 'podman'
        ? openDriver(podman, { socket_path: endpoint, ...config }, this.host.deps)
        : openDriver(docker, { endpoint, ...config }, this.host.deps);
    this.#opened.push(opened);
    return opened;
  }

  task(config: Record<string, unknown>, more?: Partial<TaskConfig>): Promise<TaskConfig> {
    // podman's own default limits may be more than this host gives
    const limited = {
      image: `localhost/${scratchImage}`,
      network_mode: 'none',
      ulimit: [{ nofile: '1024:1024', nproc: '1024:1024' }],
    };
    const own = this.daemon.engine === 'podman' ? limited : { image: scratchImage };
    return this.host.task(this.driver(), { ...own, ...config }, more);
  }

  /** Starts, waits, reads, removes. */
  async run(engine: EngineDriver, of: TaskConfig): Promise<Ran> {
    const { isolation } = await startForetold(engine, of);
    const exit = await engine.wait(of.id, never);
    const [stdout, stderr] = await Promise.all([outputOf(of), outputOf(of, 'stderr')]);
    await engine.destroy(of.id, { force: false }, never);
    return { exit, isolation: isolation!, stdout, stderr };
  }

  /** How the start of a task that would do nothing is refused: as a rehearsal told it, but where that cannot be told before. */
  async refusal(
    engine: EngineDriver,
    config: Record<string, unknown> = {},
    more: Partial<TaskConfig> = {},
    told?: 'not told',
  ): Promise<string> {
    return startRefusal(engine, await this.task(shell('true', config), more), told === undefined);
  }

  async collectorPids(): Promise<readonly number[]> {
    const directory = join(this.host.deps.stateDirectory, '..');
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
      pids.map(async (pid) => {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return line.includes('log-collector/main.js') && line.includes(directory) ? Number(pid) : 0;
      }),
    );
    return found.filter((pid) => pid > 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((each) => each.engine.close()));
    await this.daemon.close();
    if (this.#shared !== null) await run('umount', ['--lazy', this.#shared]);
    await this.host.close();
  }
}

export function shell(script: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { command: '/bin/sh', args: ['-c', script], ...more };
}

export function outputOf(of: TaskConfig, stream = 'stdout'): Promise<string> {
  return readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8').catch(() => '');
}

/** What every driver does, with tasks of this image. */
export function containerSuite(
  open: DriverSuite['open'],
  task: (config: Record<string, unknown>) => Promise<TaskConfig>,
): DriverSuite {
  const trapped = (rest: string): Promise<TaskConfig> => task(shell(`trap 'exit 0' INT TERM; ${rest}`));
  return {
    open,
    ends: (code) => task(shell(`exit ${code}`)),
    runsFor: (ms) => trapped(`sleep ${ms / 1000} & wait`),
    stubborn: () => task(shell('trap "" INT; while :; do sleep 0.1; done')),
    cannotStart: () => task({ command: '/no/such/binary' }),
    says: async (text) => {
      const of = await task(shell(`echo ${text}`));
      return { task: of, read: () => outputOf(of) };
    },
    execs: async () => ({ task: await trapped('sleep 60 & wait'), command: ['sh', '-c', 'echo out; exit 4'] }),
    excused: {},
  };
}

export async function firstReport(engine: EngineDriver): Promise<Fingerprint> {
  for await (const report of engine.fingerprint(never)) return report;
  throw new Error('no report');
}

/** Listens until told to stop; `is` waits for a report. */
export function listen(engine: EngineDriver) {
  const stop = new AbortController();
  let last: Fingerprint | null = null;
  void (async () => {
    for await (const report of engine.fingerprint(stop.signal)) last = report;
  })();
  return {
    stop: () => stop.abort(),
    async is(health: Fingerprint['health'], limitMs: number, about = /^/): Promise<Fingerprint> {
      for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(50)) {
        if (last?.health === health && about.test(last.description)) return last;
      }
      throw new Error(`not ${health} within ${limitMs} ms, but ${JSON.stringify(last)}`);
    },
  };
}
