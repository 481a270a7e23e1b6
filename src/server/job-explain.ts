import { Fault } from '../lib/fault.ts';
import { jobId } from '../model/job-id.ts';
import { formatErrors } from '../model/job-validate.ts';
import { explainJob } from '../scheduler/explain-job.ts';
import type { ServerCommands } from './commands.ts';
import type { ServerContext } from './context.ts';
import { checkJob } from './job-register.ts';
import { asksNobody, JobRehearsal } from './job-rehearsal.ts';
import type { NodeConnection } from './node-connection.ts';

/** A job as it was sent is explained in its canonical form, without writing it. */
export function jobExplanations(
  context: ServerContext,
  nodes: NodeConnection = asksNobody,
): Pick<ServerCommands, 'explainJob' | 'explainRegistered'> {
  const rehearsal = new JobRehearsal(context, nodes);
  return {
    explainJob: async (input, signal) => {
      const snapshot = context.store.snapshot();
      const { job, errors } = checkJob(snapshot, context.region, input);
      if (errors.length > 0) throw new Fault('invalid', formatErrors(errors), { status: 500 });
      return rehearsal.completed(job, explainJob(snapshot, job), signal);
    },
    explainRegistered: async (namespace, id, signal) => {
      const snapshot = context.store.snapshot();
      const job = snapshot.get('jobs', jobId(namespace, id));
      if (job === undefined) throw new Fault('not_found', 'job not found');
      return rehearsal.completed(job, explainJob(snapshot, job), signal);
    },
  };
}
