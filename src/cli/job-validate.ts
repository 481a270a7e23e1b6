import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { refusal, showDriverConfig } from './driver-config.ts';
import { jobFileFlags, readJobFile } from './job-file.ts';
import { sayWarnings } from './warnings.ts';

export const command: Command = {
  usage: 'job validate [options] <path>',
  help: 'Checks a job file: the language here, the job by the servers. Nothing is changed. Exit code 1: there is something wrong.',
  flags: { 'vault-namespace': { kind: 'string', help: 'Accepted for compatibility.', hidden: true }, ...jobFileFlags },
  client: true,
  complete: 'files',
  async run(call) {
    const { terminal } = call;
    takes(call, 'job validate', 'This command takes one argument: <path>', 1);
    const file = await readJobFile(call, call.args[0]!);
    for (const warning of file.warnings) terminal.error(warning);
    return withClient(call, async (client) => {
      const { value } = await asking('Error validating job', client.jobs.validate(file.job));
      const { wrong } = await showDriverConfig(terminal, client, file, call.args[0]!);
      if (wrong > 0) throw new CommandError(refusal(wrong, value.Error));
      if (value.Error !== '') throw new CommandError(`Job validation errors:\n${value.Error}`);
      sayWarnings(terminal, value.Warnings);
      terminal.out('Job validation successful');
      return 0;
    });
  },
};
