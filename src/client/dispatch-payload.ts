import { join } from 'node:path';
import { writeBeneath } from '../lib/node/safe-path.ts';
import type { Job } from '../model/job.ts';
import type { Task } from '../model/task.ts';
import { taskDirectories } from './alloc-dir.ts';

/** What the job was dispatched with goes to where the task says, below its `local`; written again with each start. */
export async function writeDispatchPayload(allocDir: string, allocId: string, job: Job, task: Task): Promise<void> {
  const { DispatchPayload: wanted } = task;
  if (wanted === null || wanted.File === '' || job.Payload === null) return;
  const { local } = taskDirectories(allocDir, allocId, task.Name);
  // relative to the allocations' directory: a link that the task put on the way is not followed
  const path = join(local, wanted.File).slice(allocDir.length + 1);
  await writeBeneath(allocDir, path, Buffer.from(job.Payload, 'base64'), 0o755);
}
