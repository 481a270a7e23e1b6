/** What a task finds before its driver is asked to start it: its directories, and what the job dispatched to it. */
import type { DriverInfo } from '../driver/contract.ts';
import type { Log } from '../lib/log.ts';
import type { Job } from '../model/job.ts';
import type { Task } from '../model/task.ts';
import { buildTaskDirectory, lookUpUser, taskDirectories } from './alloc-dir.ts';
import { writeDispatchPayload } from './dispatch-payload.ts';

const agentUser = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** Again at every start: what is there stays. */
export async function prepareTaskDirectory(
  allocDir: string,
  allocId: string,
  job: Job,
  task: Task,
  filesystem: DriverInfo['filesystem'],
  log: Log,
): Promise<void> {
  // users of an image are the image's: the host may not know them
  const known = task.User !== '' && filesystem !== 'image';
  const owner = known ? await lookUpUser(task.User) : filesystem === 'none' ? agentUser : null;
  const built = await buildTaskDirectory(
    taskDirectories(allocDir, allocId, task.Name),
    owner,
    task.Resources?.SecretsMB ?? 0,
  );
  if (built.secretsOnDisk !== null) {
    log.debug('secrets are kept in a plain directory', {
      alloc: allocId,
      task: task.Name,
      reason: built.secretsOnDisk,
    });
  }
  await writeDispatchPayload(allocDir, allocId, job, task);
}
