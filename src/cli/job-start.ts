import type { DroverClient } from '../api-client/index.ts';
import type { JobSubmission } from '../model/job-submission.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { followFlags, followRegistration } from './follow-registration.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job start [options] <job>',
  help: 'Starts a stopped job again, as it was.',
  flags: followFlags,
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job start', 'This command takes one argument: <job>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const options = { query: { namespace } };
      const { value: job } = await asking('Error starting job', client.jobs.read(id, options));
      if (!job.Stop) throw new CommandError(`Error starting job: job "${id}" is not stopped`);
      const submission = await submissionOf(client, id, job.Version, namespace);
      const registering = client.jobs.register(
        { ...job, Stop: false },
        submission === null ? {} : { submission },
        options,
      );
      const { value } = await asking('Error starting job', registering);
      return followRegistration(call, client, value, (evalId) => `Job start successful\nEvaluation ID: ${evalId}`);
    });
  },
};

/** The file it came from goes along; a stopped version has none of its own, so the one before is asked for too. */
async function submissionOf(
  client: DroverClient,
  id: string,
  version: number,
  namespace: string,
): Promise<JobSubmission | null> {
  for (let at = version; at >= Math.max(0, version - 1); at--) {
    const read = await client.jobs.submission(id, at, { query: { namespace } }).catch(() => null);
    if (read !== null) return read.value;
  }
  return null;
}
