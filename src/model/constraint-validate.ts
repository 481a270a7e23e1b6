import type { Affinity, Constraint, Spread } from './constraint.ts';
import { nest, problems } from './error-list.ts';

const compared = new Set(['=', '==', 'is', '!=', 'not', '<', '<=', '>', '>=']);
const constraintOperands = new Set([
  ...compared,
  'distinct_hosts',
  'distinct_property',
  'regexp',
  'version',
  'semver',
  'set_contains',
  'set_contains_all',
  'set_contains_any',
  'is_set',
  'is_not_set',
]);
const affinityOperands = new Set(
  [...constraintOperands].filter((operand) => !/^(distinct_|is_(not_)?set$)/.test(operand)),
);

/** The problems of all constraints of a block, each under its number. `where` decides which operands make sense. */
export function validateConstraints(
  constraints: readonly Constraint[] | null,
  where: 'job' | 'task' | 'device',
): readonly string[] {
  return (constraints ?? []).flatMap((constraint, index) =>
    nest(`Constraint ${index + 1} validation failed`, validateConstraint(constraint, where)),
  );
}

function validateConstraint(constraint: Constraint, where: 'job' | 'task' | 'device'): readonly string[] {
  const { LTarget, RTarget, Operand } = constraint;
  const presence = Operand === 'is_set' || Operand === 'is_not_set';
  const distinct = Operand === 'distinct_hosts' || Operand === 'distinct_property';
  const valueless = presence || distinct;
  return problems(
    [Operand === '', 'Missing constraint operand'],
    [Operand !== '' && !constraintOperands.has(Operand), `Unknown constraint type "${Operand}"`],
    [where !== 'job' && distinct, `${Operand} constraints are for jobs and groups, not for a ${where}`],
    [LTarget === '' && Operand !== 'distinct_hosts', 'No attribute: the constraint needs one to compare'],
    [RTarget === '' && !valueless, `Operator "${Operand}" needs a value to compare with`],
    [RTarget !== '' && presence, `Operator "${Operand}" takes no value`],
    [
      Operand === 'distinct_hosts' && !['', 'true', 'false'].includes(RTarget),
      `distinct_hosts is true or false, not "${RTarget}"`,
    ],
    [
      Operand === 'distinct_property' && RTarget !== '' && !/^[1-9]\d*$/.test(RTarget),
      `distinct_property needs a count above 0, not "${RTarget}"`,
    ],
    ...operandValue(Operand, RTarget),
    ...target(LTarget, where),
  );
}

/** `${…}` must name something that a node has. */
function target(text: string, where: 'job' | 'task' | 'device'): readonly (readonly [boolean, string])[] {
  const name = /^\$\{(.*)\}$/.exec(text)?.[1];
  if (name === undefined) return [];
  const known = /^(node\.(unique\.id|unique\.name|datacenter|class|pool|region)|(attr|meta|device)\..+|unique\..+)$/;
  return [[!known.test(name), `unsupported attribute "${text}" in a constraint of a ${where}`]];
}

function operandValue(operand: string, value: string): readonly (readonly [boolean, string])[] {
  if (value === '') return [];
  if (operand === 'regexp') {
    const problem = regexpProblem(value);
    return problem === undefined ? [] : [[true, `Regular expression failed to compile: ${problem}`]];
  }
  if (operand === 'version' || operand === 'semver') {
    const kind = operand === 'version' ? 'Version' : 'Semver';
    const bad = value.split(',').find((part) => !versionConstraint.test(part));
    return [[bad !== undefined, `${kind} constraint is invalid: Malformed constraint: ${bad?.trim()}`]];
  }
  return [];
}

const versionConstraint = /^\s*(|=|!=|>|<|>=|<=|~>)\s*v?\d+(\.\d+)*(-?[0-9A-Za-z.~-]+)?(\+[0-9A-Za-z.~-]+)?\s*$/;

/** What is wrong with a pattern, in the words of Go's regexp where there are such. */
function regexpProblem(pattern: string): string | undefined {
  try {
    new RegExp(pattern.replace(/\(\?[imsU]+\)/g, '').replace(/\(\?P</g, '(?<'));
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    if (/character class/.test(text))
      return `error parsing regexp: missing closing ]: \`${pattern.slice(pattern.lastIndexOf('['))}\``;
    if (/Unterminated group/.test(text)) return `error parsing regexp: missing closing ): \`${pattern}\``;
    if (/Unmatched '\)'/.test(text)) return `error parsing regexp: unexpected ): \`${pattern}\``;
    if (/Nothing to repeat/.test(text))
      return `error parsing regexp: missing argument to repetition operator: \`${pattern}\``;
    return `error parsing regexp: \`${pattern}\``;
  }
}

export function validateAffinities(affinities: readonly Affinity[] | null): readonly string[] {
  return (affinities ?? []).flatMap((affinity, index) =>
    nest(
      `Affinity ${index + 1} validation failed`,
      problems(
        [affinity.Operand === '', 'Missing affinity operand'],
        [
          affinity.Operand !== '' && !affinityOperands.has(affinity.Operand),
          `Unknown affinity operator "${affinity.Operand}"`,
        ],
        [affinity.LTarget === '', 'No attribute: the affinity needs one to compare'],
        [affinity.RTarget === '', `Operator "${affinity.Operand}" needs a value to compare with`],
        [affinity.Weight > 100 || affinity.Weight < -100, 'Affinity weight must be within the range [-100,100]'],
        [affinity.Weight === 0, 'Affinity weight cannot be zero'],
        ...operandValue(affinity.Operand, affinity.RTarget),
      ),
    ),
  );
}

export function validateSpreads(spreads: readonly Spread[] | null): readonly string[] {
  return (spreads ?? []).flatMap((spread, index) =>
    nest(`Spread ${index + 1} validation failed`, validateSpread(spread)),
  );
}

function validateSpread(spread: Spread): readonly string[] {
  const targets = spread.SpreadTarget ?? [];
  const sum = targets.reduce((total, { Percent }) => total + Percent, 0);
  const repeated = targets.find((each, index) => targets.findIndex(({ Value }) => Value === each.Value) !== index);
  const outside = targets.find(({ Percent }) => Percent < 0 || Percent > 100);
  return problems(
    [spread.Attribute === '', 'Missing spread attribute'],
    [spread.Weight <= 0 || spread.Weight > 100, 'Spread block must have a positive weight from 0 to 100'],
    [repeated !== undefined, `Spread target value "${repeated?.Value}" already defined`],
    [outside !== undefined, `Spread target percentage for value "${outside?.Value}" must be between 0 and 100`],
    [sum > 100, `Sum of spread target percentages must not be greater than 100%; got ${sum}%`],
  );
}
