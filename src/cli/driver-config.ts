/** Tells what is wrong in `config` blocks, by what the nodes' drivers take, with the place in the job file. */
import type { DroverClient } from '../api-client/index.ts';
import { type Body, type Diagnostic, parse } from '../hcl/index.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import { showDiagnostics } from './diagnostics.ts';
import type { JobFile } from './job-file.ts';
import { taskConfigPlace } from './task-config-place.ts';
import type { Terminal } from './terminal.ts';

/**
 * How many options are wrong wherever the job could run; each is shown. Servers that do not check (Nomad's) find none. `errors`: what else
 * the servers have against the job.
 */
export async function showDriverConfig(
  terminal: Terminal,
  client: DroverClient,
  file: JobFile,
  path: string,
): Promise<{ readonly wrong: number; readonly errors: string }> {
  // what is wrong with the way to the servers is told by the call that follows
  const answer = await client.jobs.validate(file.job).catch(() => null);
  const problems = answer?.value.DriverConfigProblems ?? [];
  const errors = answer?.value.Error ?? '';
  if (problems.length === 0) return { wrong: 0, errors };
  // The JSON of a module is nobody's file.
  if (file.exportedAt !== undefined)
    for (const problem of problems) terminal.error(`${file.exportedAt}: ${problem.Summary}; ${detailOf(problem)}`);
  else {
    const { body } = parse(file.submission?.Source ?? '', path);
    showDiagnostics(
      terminal,
      problems.map((problem) => located(problem, body)),
    );
  }
  return { wrong: problems.filter(({ Certain }) => Certain).length, errors };
}

/** Everything at once: what the servers have against the job, then how many options are wrong. */
export function refusal(count: number, errors: string): string {
  const others = errors === '' ? '' : `Job validation errors:\n${errors}\n`;
  return `${others}${count} option${count === 1 ? '' : 's'} of tasks ${count === 1 ? 'is' : 'are'} not what the drivers of the nodes take`;
}

function located(problem: DriverConfigProblem, body: Body): Diagnostic {
  return {
    severity: problem.Certain ? 'error' : 'warning',
    summary: problem.Summary,
    detail: detailOf(problem),
    subject: taskConfigPlace(problem, body),
  };
}

function detailOf({ Detail, Certain, TaskGroup, Task, Driver }: DriverConfigProblem): string {
  const some = Certain ? '' : ' Some nodes take it as it is.';
  return `${Detail}${some} (group "${TaskGroup}", task "${Task}", driver "${Driver}")`;
}
