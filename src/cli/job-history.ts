import { formatJson } from '../lib/json.ts';
import type { Job } from '../model/job.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { formatTime } from './formats.ts';
import { formatFlags, printFormatted, sortKeys } from './formatted.ts';
import { jobDiffView } from './job-diff-view.ts';
import { resolveJob } from './resolve-id.ts';
import { formatPairs } from './table.ts';

export const command: Command = {
  usage: 'job history [options] <job>',
  help: 'Lists the versions kept of a job, newest first, with -p each with what it changed.',
  flags: {
    p: { kind: 'bool', help: 'Show the differences between versions.' },
    full: { kind: 'bool', help: 'Show each version whole.' },
    version: { kind: 'string', value: '<number>', help: 'Only this version.' },
    'diff-version': { kind: 'string', value: '<number>', help: 'Compare with this version instead of the one before.' },
    'diff-tag': { kind: 'string', value: '<name>', help: 'Compare with the version of this tag.' },
    ...formatFlags,
  },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { args, flags, terminal } = call;
    takes(call, 'job history', 'This command takes one argument: <job>', 1);
    const diffs = flags.bool('p') || flags.given('diff-version') || flags.given('diff-tag');
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, args[0]!);
      const query = {
        namespace,
        diffs: diffs || undefined,
        diff_version: flags.string('diff-version'),
        diff_tag: flags.string('diff-tag'),
      };
      const { value } = await asking('Error retrieving job versions', client.jobs.versions(id, { query }));
      const all = (value.Versions ?? []).map((job, at) => ({ job, diff: value.Diffs?.[at] }));
      const asked = flags.string('version');
      const shown = asked === undefined ? all : all.filter(({ job }) => String(job.Version) === asked);
      if (shown.length === 0) throw new CommandError(`Error: version ${asked} of job "${id}" is not kept`);
      const jobs = asked === undefined ? shown.map(({ job }) => job) : shown[0]!.job;
      if (await printFormatted(call, jobs)) return 0;
      if (flags.bool('full')) terminal.out(formatJson(sortKeys(jobs), 4));
      else
        terminal.out(
          shown
            .map(({ job, diff }) => overview(job, diff === undefined ? undefined : jobDiffView(terminal, diff, false)))
            .join('\n\n'),
        );
      return 0;
    });
  },
};

function overview(job: Job, diff: string | undefined): string {
  const tag = job.VersionTag;
  const pairs: [string, string | number | boolean][] = [
    ['Version', job.Version],
    ['Stable', job.Stable],
    ['Submit Date', formatTime(job.SubmitTime)],
    ...(tag === null
      ? []
      : ([
          ['Tag Name', tag.Name],
          ['Tag Description', tag.Description],
        ] as [string, string][])),
    ...(diff === undefined ? [] : ([['Diff', `\n${diff}`]] as [string, string][])),
  ];
  return formatPairs(pairs);
}
