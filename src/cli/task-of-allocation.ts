import type { DroverClient } from '../api-client/index.ts';
import type { Allocation } from '../model/allocation.ts';
import { asking } from './client-context.ts';
import { type Call, CommandError } from './command.ts';
import { allocationOfJob, resolveAllocation } from './resolve-id.ts';

/** The allocation that a command's first argument means: a job with -job, else an allocation. */
export async function allocationFor(call: Call, client: DroverClient, word: string): Promise<Allocation> {
  const stub = call.flags.bool('job')
    ? await allocationOfJob(client, word, call.flags.string('group') ?? '')
    : await resolveAllocation(client, word);
  return (await asking('Error querying allocation', client.allocations.read(stub.ID))).value;
}

export function taskNames(allocation: Allocation): string[] {
  const group = allocation.Job?.TaskGroups?.find((item) => item.Name === allocation.TaskGroup);
  return (group?.Tasks ?? []).map((task) => task.Name);
}

/** The name given if there is such a task, the only one if none was given; else the command ends with the names there are. */
export function taskFor(allocation: Allocation, given: string | undefined): string {
  const names = taskNames(allocation);
  if (given !== undefined && given !== '') {
    if (names.includes(given)) return given;
    throw new CommandError(`Could not find task named: ${given}, found:\n${names.join('\n')}`);
  }
  if (names.length === 1) return names[0]!;
  throw new CommandError(
    `Allocation "${allocation.ID.slice(0, 8)}" is running the following tasks:\n${names.map((name) => `  * ${name}`).join('\n')}\n\nPlease specify the task.`,
  );
}
