import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TaskConfig, TaskDevice } from '../../driver/contract.ts';

const run = promisify(execFile);

/** The host's device belongs to root or a group; the emulator gets a node of its own, in a directory only it can enter, which `makeDevices` makes. */
export async function kvmDevice(task: TaskConfig, agentUid: number): Promise<TaskDevice> {
  const device = { taskPath: '/dev/kvm', hostPath: '/dev/kvm', permissions: 'rw' };
  if (agentUid !== 0) return device;
  const open = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    async () => ((await stat('/dev/kvm')).mode & 0o006) === 0o006,
    () => false,
  );
  if (open) return device;
  return { ...device, hostPath: join(task.directories.private, 'kvm') };
}

/** Nodes of a task's own. */
export async function makeDevices(devices: readonly TaskDevice[]): Promise<void> {
  for (const { taskPath, hostPath } of devices.filter((each) => each.hostPath !== each.taskPath)) {
    const { rdev } = await stat(taskPath);
    await run('rm', ['-f', hostPath]);
    await run('mknod', ['-m', '666', hostPath, 'c', String(rdev >> 8), String(rdev & 0xff)]);
  }
}
