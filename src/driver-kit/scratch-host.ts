/** A supervisor, isolation and directories of their own for a driver's tests; nothing stays behind. */
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskConfig, TaskHandleState } from '../driver/contract.ts';
import type { TaskCgroup } from '../isolation/cgroup/task-cgroup.ts';
import { type IsolationHost, noIsolation, openIsolation } from '../isolation/isolation-host.ts';
import type { VerifierProbe } from '../isolation/mechanisms/verifier.ts';
import { silentLog } from '../lib/log.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import type { DriverDeps, OpenDriver } from './driver-plugin.ts';
import { openScratch, type Scratch } from './scratch-task.ts';
import { sweepStarts } from './sweep.ts';
import { locateVerifier } from './verifier-program.ts';

export interface ScratchHost {
  readonly scratch: Scratch;
  readonly deps: DriverDeps;
  /** A task of this driver, with options as a job file has them. */
  task(driver: OpenDriver, config: Record<string, unknown>, more?: Partial<TaskConfig>): Promise<TaskConfig>;
  /** Names of task groups that are still there, in any hierarchy. */
  leftGroups(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface ScratchHostOptions {
  readonly isolation: boolean;
  /** All of it, the verifier too, lies below a directory that only the agent's user may enter. */
  readonly closed?: boolean;
}

export async function openScratchHost(options: ScratchHostOptions): Promise<ScratchHost> {
  const closed = options.closed === true ? await mkdtemp(join(tmpdir(), 'drover-closed-')) : null;
  const cgroupParent = `drover-test-${process.pid}`;
  const scratch = await openScratch(closed ?? tmpdir());
  const verifier = closed === null ? locateVerifier() : await verifierIn(closed);
  const isolation: IsolationHost = !options.isolation
    ? noIsolation
    : await openIsolation({
        cgroupParent,
        verifier,
        stateDirectory: join(scratch.root, 'state'),
        taskRoot: scratch.root,
      });
  const deps: DriverDeps = {
    supervisor: createSupervisor(),
    isolation,
    stateDirectory: join(scratch.root, 'state', 'tasks'),
    log: silentLog,
  };
  return {
    scratch,
    deps,
    async task(driver, config, more) {
      const decoded = driver.decodeConfig(config);
      if (!decoded.ok) throw new Error(decoded.problems.join('; '));
      return scratch.task(decoded.value, more);
    },
    leftGroups: async () => {
      const found = await Promise.all(
        isolation.cgroups.hierarchies.map(async ({ parent }) =>
          (await readdir(parent, { withFileTypes: true }))
            .filter((entry) => entry.isDirectory())
            .map((entry) => join(parent, entry.name)),
        ),
      );
      return found.flat();
    },
    close: async () => {
      // what a failed test left running must not outlive it
      await sweepStarts(deps, []);
      await deps.supervisor.close();
      for (const { parent } of isolation.cgroups.hierarchies) await rmdir(parent).catch(() => {});
      // a runtime makes it in hierarchies too that nobody asked for
      for (const hierarchy of await readdir('/sys/fs/cgroup').catch(() => []))
        await rmdir(join('/sys/fs/cgroup', hierarchy, cgroupParent)).catch(() => {});
      await scratch.remove();
      if (closed !== null) await rm(closed, { recursive: true, force: true });
    },
  };
}

async function verifierIn(directory: string): Promise<VerifierProbe | null> {
  const verifier = locateVerifier();
  if (verifier === null) return null;
  const program = join(directory, 'drover-verify');
  await copyFile(verifier.program, program);
  return { ...verifier, program };
}

/** Bytes, of the group of a command that was started; null: this host has no memory controller. */
export function memoryLimit({ cgroup }: TaskHandleState): number | null {
  const { directories } = cgroup as TaskCgroup;
  const group = directories.find(({ controllers }) => controllers.includes('memory'));
  if (group === undefined) return null;
  return Number(readFileSync(join(group.path, group.version === 2 ? 'memory.max' : 'memory.limit_in_bytes'), 'utf8'));
}
