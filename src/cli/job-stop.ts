import { type DroverClient, isResponseError } from '../api-client/index.ts';
import { asking, connectTo } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job stop [options] <job> …',
  help: 'Stops jobs: their allocations are told to stop, and the jobs stay known as dead unless they are purged.',
  flags: {
    detach: { kind: 'bool', help: "Print the evaluation's id and return at once." },
    purge: { kind: 'bool', help: 'Forget the job altogether.' },
    'no-shutdown-delay': { kind: 'bool', help: 'Leave out the shutdown delay of groups and tasks.' },
    yes: { kind: 'bool', help: 'Do not ask where the name given is only a prefix.' },
    global: { kind: 'bool', help: 'Accepted for compatibility: there is one region.', hidden: true },
    'eval-priority': { kind: 'int', value: '<1-100>', help: "The priority of the evaluation, instead of the job's." },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'jobs',
  run,
};

async function run(call: Call): Promise<number> {
  if (call.args.length === 0)
    throw new CommandError(
      "This command takes at least one argument: <job>\nFor additional help try 'drover job stop -help'",
    );
  const codes = [];
  for (const prefix of call.args) codes.push(await stop(call, prefix));
  return Math.max(...codes);
}

async function stop(call: Call, prefix: string): Promise<number> {
  const { flags, terminal, interrupted } = call;
  const client = connectTo(call);
  try {
    const { id, namespace } = await resolveJob(client, prefix);
    if (id !== prefix && !flags.bool('yes')) await confirm(id);
    const options = { query: { namespace } };
    const request = { purge: flags.bool('purge'), noShutdownDelay: flags.bool('no-shutdown-delay') };
    const priority = flags.int('eval-priority');
    const answer = client.jobs.deregister(
      id,
      priority === undefined ? request : { ...request, evalPriority: priority },
      options,
    );
    const { value } = await asking('Error deregistering job', answer);
    if (value.EvalID === '') return 0;
    if (flags.bool('detach')) {
      terminal.out(value.EvalID);
      return 0;
    }
    const code = await monitorEvaluation(
      { client, terminal, verbose: flags.bool('verbose'), interrupted },
      value.EvalID,
    );
    await untilStopped(client, id, namespace);
    return code;
  } catch (error) {
    if (isResponseError(error)) throw new CommandError(`Error deregistering job: ${error.message}`);
    throw error;
  } finally {
    client.close();
  }
}

/** Most tasks end at once: who asks for the state right after a stop shall see them ended. Longer is not waited. */
async function untilStopped(client: DroverClient, id: string, namespace: string): Promise<void> {
  for (const end = Date.now() + 2_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const read = await client.jobs.allocations(id, { query: { namespace } }).catch(() => null);
    if (read === null || read.value.every((row) => row.ClientStatus !== 'running' && row.ClientStatus !== 'pending'))
      return;
  }
}

/** Only a person can confirm: a script has to name the job in full, or say -yes. */
async function confirm(id: string): Promise<void> {
  if (!process.stdin.isTTY) throw new CommandError(`"${id}" is not what was given in full: name it whole, or add -yes`);
  const { createInterface } = await import('node:readline/promises');
  const ask = createInterface({ input: process.stdin, output: process.stdout });
  const reply = await ask.question(`Are you sure you want to stop job "${id}"? [y/N] `);
  ask.close();
  if (reply !== 'y') throw new CommandError('Cancelled; the job was not stopped');
}
