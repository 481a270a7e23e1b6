import { formatJson } from '../lib/json.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { formatFlags, printFormatted, sortKeys } from './formatted.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job inspect [options] <job>',
  help: 'Prints a job as the servers keep it (JSON), or with -hcl the file it was made from.',
  flags: {
    json: { kind: 'bool', help: 'JSON, which is also the default.' },
    hcl: { kind: 'bool', help: 'The job file as it was submitted.' },
    'with-vars': { kind: 'bool', help: 'With -hcl: also the values of its input variables.' },
    version: { kind: 'string', value: '<number>', help: 'This version instead of the latest.' },
    t: formatFlags['t']!,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { args, flags, terminal } = call;
    takes(call, 'job inspect', 'This command takes one argument: <job>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, args[0]!);
      const options = { query: { namespace } };
      const asked = flags.string('version');
      let { value: job } = await asking('Error inspecting job', client.jobs.read(id, options));
      if (asked !== undefined) {
        const { value } = await asking('Error inspecting job', client.jobs.versions(id, options));
        const found = value.Versions?.find((item) => String(item.Version) === asked);
        if (found === undefined)
          throw new CommandError(`Error inspecting job: job ${id} with version ${asked} not found`);
        job = found;
      }
      if (!flags.bool('hcl')) {
        if (!(await printFormatted(call, job, { asJson: { Job: job } })))
          terminal.out(formatJson(sortKeys({ Job: job }), 4));
        return 0;
      }
      const { value: source } = await asking('Error inspecting job', client.jobs.submission(id, job.Version, options));
      terminal.out(source.Source);
      if (flags.bool('with-vars')) {
        for (const [name, value] of Object.entries(source.VariableFlags ?? {})) terminal.out(`# ${name} = ${value}`);
        if (source.Variables !== '') terminal.out(source.Variables);
      }
      return 0;
    });
  },
};
