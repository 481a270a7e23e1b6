import { isResponseError } from '../api-client/index.ts';
import { formatJson } from '../lib/json.ts';
import { connectTo } from './client-context.ts';
import { type Call, type Command, CommandError, Interrupted } from './command.ts';
import { refusal, showDriverConfig } from './driver-config.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { type JobFile, jobFileFlags, readJobFile } from './job-file.ts';
import { nextPeriodicLaunch } from './next-launch.ts';
import { sayWarnings } from './warnings.ts';

export const command: Command = {
  usage: 'job run [options] <path>',
  help: `Sends a job to the servers and follows what becomes of it: its evaluation, and for services the deployment.

<path> is a job file, an http(s) URL of one, or "-" for standard input. The file is parsed here, so that its functions see this
machine's files; NOMAD_VAR_<name> variables set its input variables.

Exit codes: 0 placed; 1 refused or failed; 2 some of it could not be placed.`,
  flags: {
    detach: { kind: 'bool', help: "Print the evaluation's id and return at once." },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
    output: { kind: 'bool', help: "Print the API's JSON of the job and send nothing; needs no agent." },
    'check-index': {
      kind: 'string',
      value: '<index>',
      help: 'Change the job only if its modify index is this (0: only if it is new). `job plan` prints it.',
    },
    'eval-priority': { kind: 'int', value: '<1-100>', help: "The priority of the evaluation, instead of the job's." },
    'ignore-driver-config': {
      kind: 'bool',
      help: "Submit the job even if the nodes' drivers say that they do not take the config of a task.",
    },
    'preserve-counts': { kind: 'bool', help: 'Keep the counts that groups have now.' },
    'preserve-resources': { kind: 'bool', help: 'Keep the resources that tasks have now.' },
    'policy-override': {
      kind: 'bool',
      help: 'Accepted for compatibility; there are no policies to override.',
      hidden: true,
    },
    'consul-namespace': { kind: 'string', help: 'Accepted for compatibility.', hidden: true },
    'vault-namespace': { kind: 'string', help: 'Accepted for compatibility.', hidden: true },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
    ...jobFileFlags,
  },
  client: true,
  complete: 'files',
  run,
};

async function run(call: Call): Promise<number> {
  const { args, flags, terminal } = call;
  if (args.length !== 1)
    throw new CommandError("This command takes one argument: <path>\nFor additional help try 'drover job run -help'");
  const file = await readJobFile(call, args[0]!);
  for (const warning of file.warnings) terminal.error(warning);
  if (flags.bool('output')) {
    terminal.out(escapeHtml(formatJson({ Job: file.job }, 4)));
    return 0;
  }
  return register(call, file, args[0]!);
}

async function register(call: Call, file: JobFile, path: string): Promise<number> {
  const { flags, terminal, interrupted } = call;
  const { job, submission } = file;
  const client = connectTo(call);
  try {
    const { wrong, errors } = await showDriverConfig(terminal, client, file, path);
    if (wrong > 0 && !flags.bool('ignore-driver-config'))
      throw new CommandError(
        `${refusal(wrong, errors)}\nThe job was not submitted; -ignore-driver-config submits it as it is.`,
      );
    const answer = await client.jobs.register(job, {
      submission: submission ?? undefined,
      enforceIndex: checkIndex(flags.string('check-index')),
      preserveCounts: flags.bool('preserve-counts') || undefined,
      preserveResources: flags.bool('preserve-resources') || undefined,
      evalPriority: flags.int('eval-priority'),
    });
    const { EvalID: evalId, Warnings: warnings } = answer.value;
    sayWarnings(terminal, warnings);
    const waits = job.Periodic != null || job.ParameterizedJob != null;
    if (flags.bool('detach') || evalId === '' || waits) {
      terminal.out('Job registration successful');
      if (evalId !== '') terminal.out(`Evaluation ID: ${evalId}`);
      const next = nextPeriodicLaunch(job.Periodic);
      if (next !== undefined) terminal.out(`Approximate next launch time: ${next}`);
      return 0;
    }
    return await monitorEvaluation(
      { client, terminal, verbose: flags.bool('verbose'), interrupted, offersDetach: true },
      evalId,
    );
  } catch (error) {
    if (isResponseError(error) && error.body.includes('Enforcing job modify index'))
      throw new CommandError(`${error.body.slice(error.body.indexOf('Enforcing'))}\nJob not updated`);
    if (error instanceof CommandError || error instanceof Interrupted) throw error;
    throw new CommandError(`Error submitting job: ${(error as Error).message}`);
  } finally {
    client.close();
  }
}

/** As Go writes JSON: scripts compare such files byte by byte. */
export function escapeHtml(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function checkIndex(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new CommandError(
      `Error parsing check-index value "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
    );
  return Number(text);
}
