/** Tells what is wrong in `config` blocks, by what the nodes' drivers take, with the place in the job file. */
import type { DroverClient } from '../api-client/index.ts';
import { type Block, type Body, type Diagnostic, parse, type SourceRange } from '../hcl/index.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import { showDiagnostics } from './diagnostics.ts';
import type { JobFile } from './job-file.ts';
import type { Terminal } from './terminal.ts';

/** How many options are wrong wherever the job could run; each is shown. Servers that do not check (Nomad's) find none. */
export async function showDriverConfig(
  terminal: Terminal,
  client: DroverClient,
  file: JobFile,
  path: string,
): Promise<number> {
  // what else is wrong with the job, or with the way to the servers, is told by the call that follows
  const answer = await client.jobs.validate(file.job).catch(() => null);
  const problems = answer?.value.DriverConfigProblems ?? [];
  if (problems.length === 0) return 0;
  const source = file.submission?.Format === 'hcl2' ? (file.submission.Source ?? '') : undefined;
  if (source === undefined)
    for (const problem of problems) terminal.error(`${path}: ${problem.Summary}; ${detailOf(problem)}`);
  else {
    const { body } = parse(source, path);
    showDiagnostics(
      terminal,
      problems.map((problem) => located(problem, body)),
    );
  }
  return problems.filter(({ Certain }) => Certain).length;
}

export function wrongConfig(count: number): string {
  return `${count} option${count === 1 ? '' : 's'} of tasks ${count === 1 ? 'is' : 'are'} not what the drivers of the nodes take`;
}

function located(problem: DriverConfigProblem, body: Body): Diagnostic {
  return {
    severity: problem.Certain ? 'error' : 'warning',
    summary: problem.Summary,
    detail: detailOf(problem),
    subject: placeOf(problem, body),
  };
}

function detailOf({ Detail, Certain, TaskGroup, Task, Driver }: DriverConfigProblem): string {
  const some = Certain ? '' : ' Some nodes take it as it is.';
  return `${Detail}${some} (group "${TaskGroup}", task "${Task}", driver "${Driver}")`;
}

/** The attribute or block itself; else the nearest that encloses it: the job's, where the task is not written out in the file. */
function placeOf({ TaskGroup, Task, Path }: DriverConfigProblem, body: Body): SourceRange {
  const config = taskBodies(body, TaskGroup, Task).flatMap((task) => blocksOf(task, 'config'))[0];
  if (config === undefined) return blocksOf(body, 'job')[0]?.headerRange ?? body.missingItemRange;
  let [place, inner] = [config.headerRange, config.body];
  for (const name of Path) {
    const attribute = inner.attributes.get(name);
    if (attribute !== undefined) return attribute.range;
    const [block] = blocksOf(inner, name);
    if (block === undefined) return place;
    [place, inner] = [block.headerRange, block.body];
  }
  return place;
}

/** A task stands in its group, or alone in the job. */
function taskBodies(body: Body, group: string, task: string): readonly Body[] {
  const jobs = blocksOf(body, 'job').map((job) => job.body);
  const groups = jobs.flatMap((job) => blocksOf(job, 'group', group).map((each) => each.body));
  return [...groups, ...jobs].flatMap((each) => blocksOf(each, 'task', task).map((found) => found.body));
}

/** `label`: its first, where one is given. */
function blocksOf(body: Body, type: string, label?: string): readonly Block[] {
  return body.blocks.filter((block) => block.type === type && (label === undefined || block.labels[0] === label));
}
