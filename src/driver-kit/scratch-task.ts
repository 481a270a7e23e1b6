/** A task of nobody's job, in directories of its own: what the conformance suite and a driver's own tests start. */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskConfig, TaskDirectories } from '../driver/contract.ts';
import { makeDirectories } from '../lib/node/directories.ts';

export interface Scratch {
  /** A new directory below the given one, default the system's temporary one. */
  readonly root: string;
  task(config: unknown, more?: Partial<TaskConfig>): Promise<TaskConfig>;
  remove(): Promise<void>;
}

export async function openScratch(parent = tmpdir()): Promise<Scratch> {
  const root = await mkdtemp(join(parent, 'drover-scratch-'));
  await chmod(root, 0o711);
  return {
    root,
    task: async (config, more = {}) => scratchTask(root, config, more),
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Its directories are made below `root`, an absolute path that other users may pass. */
export async function scratchTask(root: string, config: unknown, more: Partial<TaskConfig>): Promise<TaskConfig> {
  const allocId = more.allocId ?? randomUUID();
  const name = more.name ?? 'main';
  const directories = directoriesOf(root, allocId, name);
  await makeTaskDirectories(directories);
  return taskOf(directories, config, { ...more, allocId, name });
}

/** In directories that need not be there. */
export function taskOf(
  directories: TaskDirectories,
  config: unknown,
  more: Partial<TaskConfig> & Pick<TaskConfig, 'allocId' | 'name'>,
): TaskConfig {
  const { allocId, name } = more;
  return {
    id: `${allocId}/${name}/${randomBytes(4).toString('hex')}`,
    groupName: 'group',
    jobId: 'scratch',
    jobName: 'scratch',
    namespace: 'default',
    nodeId: '00000000-0000-4000-8000-000000000000',
    nodeName: 'scratch',
    config,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', NOMAD_TASK_NAME: name },
    user: '',
    resources: { cpuShares: 100, cpusetCpus: '', memoryMb: 64, memoryMaxMb: 0, percentTicks: 0.01, ports: [] },
    mounts: [],
    devices: [],
    network: null,
    dns: null,
    directories,
    log: { disabled: false, maxFiles: 3, maxFileSizeMb: 1, fifos: null },
    isolationFloor: 'none',
    ...more,
  };
}

export function directoriesOf(root: string, allocId: string, name: string): TaskDirectories {
  const allocation = join(root, allocId);
  const task = join(allocation, name);
  return {
    allocation,
    shared: join(allocation, 'alloc'),
    task,
    local: join(task, 'local'),
    secrets: join(task, 'secrets'),
    private: join(task, 'private'),
    tmp: join(task, 'tmp'),
    logs: join(allocation, 'alloc', 'logs'),
  };
}

async function makeTaskDirectories(directories: TaskDirectories): Promise<void> {
  const { allocation, task } = directories;
  makeDirectories(allocation, 0o711);
  await chmod(allocation, 0o711);
  const open = [directories.shared, ...['data', 'tmp'].map((each) => join(directories.shared, each)), directories.logs];
  for (const path of [...open, task, directories.local, directories.secrets, directories.private, directories.tmp]) {
    makeDirectories(path);
    await chmod(path, 0o777);
  }
}
