/** The operators of constraints and affinities, on two resolved sides. */
import { compileRegex, type Regex, RegexRunner } from '../../hcl/functions/regex-run.ts';
import { parseVersion, parseVersionConstraint, type VersionFlavour } from '../../lib/go-version.ts';

/** `undefined`: that side is not there on the node. An operator nobody knows never holds. */
export function operandHolds(operand: string, left: string | undefined, right: string | undefined): boolean {
  switch (operand) {
    case '!=':
    case 'not':
      return left !== right;
    case 'is_set':
      return left !== undefined;
    case 'is_not_set':
      return left === undefined;
    case 'distinct_hosts':
    case 'distinct_property':
      // Not a matter of the node alone: see distinct.ts.
      return true;
  }
  if (left === undefined || right === undefined) return false;
  switch (operand) {
    case '=':
    case '==':
    case 'is':
    case '':
      return left === right;
    case '<':
      return order(left, right) < 0;
    case '<=':
      return order(left, right) <= 0;
    case '>':
      return order(left, right) > 0;
    case '>=':
      return order(left, right) >= 0;
    case 'version':
    case 'semver':
      return versionHolds(left, right, operand);
    case 'regexp':
      return regexpHolds(left, right);
    case 'set_contains':
    case 'set_contains_all':
      return includesAll(left, right);
    case 'set_contains_any':
      return items(right).some((item) => items(left).includes(item));
    default:
      return false;
  }
}

const integer = /^[+-]?\d+$/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** As integers where both are, else as numbers where both are, else as texts. */
function order(left: string, right: string): number {
  if (integer.test(left) && integer.test(right)) {
    const difference = exact(left) - exact(right);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  if (decimal.test(left) && decimal.test(right)) return Number(left) - Number(right);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** BigInt refuses a leading plus sign. */
const exact = (text: string): bigint => BigInt(text.replace('+', ''));

const items = (list: string): readonly string[] => list.split(',').map((item) => item.trim());

function includesAll(left: string, right: string): boolean {
  const present = new Set(items(left));
  return items(right).every((item) => present.has(item));
}

/** Anywhere in the text. The engine is RE2's kind: no pattern makes it run for ever; one that is too much for it never holds. */
function regexpHolds(left: string, pattern: string): boolean {
  const regex = compiledRegexp(pattern);
  try {
    return regex !== undefined && new RegexRunner(regex, [...left]).find(0) !== undefined;
  } catch {
    return false;
  }
}

function versionHolds(left: string, right: string, flavour: VersionFlavour): boolean {
  const version = parseVersion(left, flavour);
  const test = version === undefined ? undefined : compiledVersions(right, flavour);
  return test?.(version!) ?? false;
}

const compiledRegexp = remembered((pattern): Regex | undefined => {
  try {
    return compileRegex(pattern);
  } catch {
    return undefined;
  }
});
const compiledVersion = remembered((text) => parseVersionConstraint(text, 'version'));
const compiledSemver = remembered((text) => parseVersionConstraint(text, 'semver'));

function compiledVersions(text: string, flavour: VersionFlavour): ReturnType<typeof compiledVersion> {
  return flavour === 'semver' ? compiledSemver(text) : compiledVersion(text);
}

/** The same few texts are asked for on thousands of nodes. */
function remembered<T>(compile: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined || known.has(text)) return found as T;
    if (known.size >= 1000) known.clear();
    const compiled = compile(text);
    known.set(text, compiled);
    return compiled;
  };
}
