import { problems } from './error-list.ts';
import type { Job } from './job.ts';
import type { Input } from './schema.ts';

const maximumGroups = 1000;
const maximumTasks = 2000;
/** Of one list of constraints, affinities or spreads. */
const maximumRules = 500;
const maximumRuleText = 10_000;
const maximumName = 1000;

interface Rule {
  readonly LTarget?: string | null;
  readonly RTarget?: string | null;
  readonly Attribute?: string | null;
}

/**
 * What makes a job too big to be worked on: looked at before anything else, because one request must not keep all others waiting.
 * Unlike Nomad, which has no such limits.
 */
export function jobLimits(job: Input<Job>): readonly string[] {
  const groups = job.TaskGroups ?? [];
  const tasks = groups.flatMap((group) => group.Tasks ?? []);
  return [
    ...problems(
      [groups.length > maximumGroups, `job has ${groups.length} task groups, more than ${maximumGroups}`],
      [tasks.length > maximumTasks, `job has ${tasks.length} tasks, more than ${maximumTasks}`],
      [
        (job.ID?.length ?? 0) > maximumName,
        `Job ID of ${job.ID?.length} characters is too long: at most ${maximumName}`,
      ],
      [
        (job.Name?.length ?? 0) > maximumName,
        `Job name of ${job.Name?.length} characters is too long: at most ${maximumName}`,
      ],
    ),
    ...(groups.length > maximumGroups || tasks.length > maximumTasks ? [] : names([...groups, ...tasks])),
    ...[job, ...groups, ...tasks].flatMap((each) => [
      ...rules('constraints', each.Constraints),
      ...rules('affinities', each.Affinities),
      ...('Spreads' in each ? rules('spreads', each.Spreads) : []),
    ]),
  ];
}

/** Groups and tasks are keys of objects in what the API answers: those that every JavaScript object has would be taken for theirs. */
function names(items: readonly { readonly Name?: string | null }[]): readonly string[] {
  return items.flatMap(({ Name }) => problems([(Name ?? '') in {}, `the name ${JSON.stringify(Name)} is reserved`]));
}

function rules(what: string, list: readonly Rule[] | null | undefined): readonly string[] {
  const all = list ?? [];
  const long = all.find(({ LTarget, RTarget, Attribute }) =>
    [LTarget, RTarget, Attribute].some((text) => (text ?? '').length > maximumRuleText),
  );
  return problems(
    [all.length > maximumRules, `${all.length} ${what} in one place, more than ${maximumRules}`],
    [long !== undefined, `a text in ${what} is longer than ${maximumRuleText} characters`],
  );
}
