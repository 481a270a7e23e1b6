/**
 * Where a plugin writes: two FIFOs that a shim of ours makes, holds open and reads into files of bounded size. It outlives agent and
 * plugin: what a plugin says while no agent runs neither ends it (a broken pipe ends most programs) nor blocks it nor fills the disk.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isFault } from '../../lib/fault.ts';
import type { Rotation, Supervisor } from '../../supervise/contract.ts';
import { collectorOf, endCollector, fifosIn } from './output-collector.ts';
import { fileBytes } from './tail-files.ts';

/** One launch of a plugin: a new version writes beside the old one. */
export class PluginOutput {
  readonly #supervisor: Supervisor;
  readonly #directory: string;
  readonly #launch: string;

  constructor(supervisor: Supervisor, directory: string, launch: string) {
    this.#supervisor = supervisor;
    this.#directory = directory;
    this.#launch = launch;
  }

  /** The files are this and a dot and an index; the newest has the highest. */
  path(stream: 'stdout' | 'stderr'): string {
    return join(this.#directory, `${stream}.${this.#launch}`);
  }

  get #collector(): string {
    return join(this.#directory, `collector.${this.#launch}`);
  }

  /** For the plugin's process; to be closed when it has them. */
  async open(): Promise<readonly [FileHandle, FileHandle]> {
    const files: Rotation = {
      directory: this.#directory,
      stdout: basename(this.path('stdout')),
      stderr: basename(this.path('stderr')),
      maxFiles: 2,
      maxBytes: fileBytes,
      fileMode: 0o600,
    };
    await this.#supervisor.collect(collectorOf(`plugin/${this.#launch}`, this.#collector, files));
    const { stdout, stderr } = fifosIn(this.#collector);
    // read-write: what inherits them from a plugin that has ended is not ended by a broken pipe
    return [await open(stdout, constants.O_RDWR), await open(stderr, constants.O_RDWR)];
  }

  /** False: what the plugin writes is read by nobody. */
  async isCollected(): Promise<boolean> {
    try {
      const found = await this.#supervisor.recover(this.#collector);
      if (found.state === 'present') found.shim.close();
      return found.state === 'present';
    } catch (error) {
      if (isFault(error, 'unavailable')) return false;
      throw error;
    }
  }

  /** What was written until now is in the files after it. Resolves with what found no place on the disk. Idempotent. */
  end(): Promise<bigint> {
    return endCollector(this.#supervisor, this.#collector);
  }

  /** With its files. */
  async remove(): Promise<void> {
    await this.end();
    const files = await readdir(this.#directory).catch(() => []);
    const ours = files.filter((name) => /^std(out|err)\./.test(name) && name.split('.')[1] === this.#launch);
    await Promise.all(ours.map((name) => rm(join(this.#directory, name), { force: true })));
  }
}
