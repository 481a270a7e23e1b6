import type { DroverClient } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { followFlags } from './follow-registration.ts';
import { readGiven } from './given-file.ts';
import { jobTable } from './resolve-id.ts';
import { formatPairs } from './table.ts';

export const command: Command = {
  usage: 'job dispatch [options] <parameterized job> [<file or ->]',
  help:
    'Starts an instance of a parameterized job, with a payload from a file or standard input and with metadata that its tasks see as ' +
    'NOMAD_META_* variables.',
  flags: {
    meta: { kind: 'strings', value: '<key>=<value>', help: 'Metadata of the instance; may be repeated.' },
    'idempotency-token': {
      kind: 'string',
      value: '<token>',
      help: 'Dispatch at most once with this token.',
    },
    'id-prefix-template': { kind: 'string', value: '<text>', help: 'Stands in the id of the instance.' },
    priority: { kind: 'int', value: '<1-100>', help: "Instead of the job's own priority." },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
    wait: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
    ...followFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    takes(call, 'job dispatch', 'This command takes one or two argument: <parameterized job> [<input source>]', 1, 2);
    const { args, flags, terminal, interrupted } = call;
    const payload = args[1] === undefined ? '' : payloadOf(args[1]);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveParameterized(client, args[0]!);
      const body = {
        JobID: id,
        Payload: payload,
        Meta: metaOf(flags.strings('meta')),
        IdPrefixTemplate: flags.string('id-prefix-template'),
        Priority: flags.int('priority'),
      };
      const query = { namespace, idempotency_token: flags.string('idempotency-token') };
      const { value } = await asking('Failed to dispatch job', client.jobs.dispatch(id, body, { query }));
      const { DispatchedJobID: dispatched, EvalID: evalId } = value;
      // the same token was used before: there is nothing new to follow
      terminal.out(
        formatPairs([
          ['Dispatched Job ID', dispatched],
          ...(evalId === '' ? [] : [['Evaluation ID', evalId.slice(0, flags.bool('verbose') ? 36 : 8)] as const]),
        ]),
      );
      if (flags.bool('detach') || evalId === '') return 0;
      terminal.out('');
      return monitorEvaluation(
        { client, terminal, verbose: flags.bool('verbose'), interrupted, offersDetach: true },
        evalId,
      );
    });
  },
};

/** Base64. */
function payloadOf(path: string): string {
  return readGiven(path, 'Error reading input data').toString('base64');
}

function metaOf(words: readonly string[]): { readonly [key: string]: string } {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new CommandError(`Error parsing meta value: ${word}`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

/** Only jobs that can be dispatched count. */
async function resolveParameterized(client: DroverClient, prefix: string): Promise<{ id: string; namespace: string }> {
  const query = { prefix, filter: 'ParameterizedJob is not empty and Dispatched == false' };
  const { value } = await asking('Error querying job', client.jobs.list({ query }));
  const exact = value.filter((job) => job.ID === prefix);
  const [found, ...more] = exact.length > 0 ? exact : value;
  if (found === undefined) throw new CommandError(`No parameterized job(s) with prefix or ID "${prefix}" found`);
  if (more.length > 0) throw new CommandError(`Prefix "${prefix}" matched multiple jobs\n\n${jobTable(value, false)}`);
  return { id: found.ID, namespace: found.Namespace };
}
