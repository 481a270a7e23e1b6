/** What the tests of the docker driver stand on: a daemon and a host of their own, tasks of the local image. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineDriver, IsolationReport, TaskConfig, TaskExit } from '../../driver/contract.ts';
import { ScratchDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { docker } from './index.ts';

const never = new AbortController().signal;

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

  private constructor(host: ScratchHost, daemon: ScratchDaemon) {
    this.host = host;
    this.daemon = daemon;
  }

  static async open(options: { readonly liveRestore?: boolean } = {}): Promise<ScratchDocker> {
    const host = await openScratchHost({ isolation: true });
    try {
      return new ScratchDocker(host, await ScratchDaemon.open(options));
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /** A driver of its own over the same daemon, as after a restart of the agent. */
  driver(config: Record<string, unknown> = {}): OpenDriver {
    const opened = openDriver(docker, { endpoint: this.daemon.endpoint, ...config }, this.host.deps);
    this.#opened.push(opened);
    return opened;
  }

  task(config: Record<string, unknown>, more?: Partial<TaskConfig>): Promise<TaskConfig> {
    return this.host.task(this.driver(), { image: scratchImage, ...config }, more);
  }

  /** Starts, waits, reads, removes. */
  async run(engine: EngineDriver, of: TaskConfig): Promise<Ran> {
    const { isolation } = await engine.start(of, never);
    const exit = await engine.wait(of.id, never);
    const [stdout, stderr] = await Promise.all([outputOf(of), outputOf(of, 'stderr')]);
    await engine.destroy(of.id, { force: false }, never);
    return { exit, isolation: isolation!, stdout, stderr };
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((each) => each.engine.close()));
    await this.daemon.close();
    await this.host.close();
  }
}

export function shell(script: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { command: '/bin/sh', args: ['-c', script], ...more };
}

export function outputOf(of: TaskConfig, stream = 'stdout'): Promise<string> {
  return readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8').catch(() => '');
}
