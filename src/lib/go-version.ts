/**
 * Versions and version constraints as Go programs of the Nomad family read them.
 * `version`: lenient (`1.2`, `v1.2.3beta1`), `~>` known, a prerelease only satisfies a constraint that names one of the same release.
 * `semver`: a prerelease needs its dash and is ordered as SemVer orders it, without that rule; no `~>`.
 * Source: documentation of the constraint block (operators `version` and `semver`), semver.org §11.
 */
export type VersionFlavour = 'version' | 'semver';

export interface Version {
  /** At least three. */
  readonly segments: readonly number[];
  /** How many of the segments were written. */
  readonly written: number;
  /** Without its dash; empty: a release. */
  readonly prerelease: string;
}

const numbers = String.raw`v?(\d+(?:\.\d+)*)`;
const dashed = String.raw`-(\d+[0-9A-Za-z~-]*(?:\.[0-9A-Za-z~-]+)*)`;
const words = String.raw`([A-Za-z~-]+[0-9A-Za-z~-]*(?:\.[0-9A-Za-z~-]+)*)`;
const metadata = String.raw`(?:\+[0-9A-Za-z~-]+(?:\.[0-9A-Za-z~-]+)*)?`;
const patterns: Readonly<Record<VersionFlavour, RegExp>> = {
  version: new RegExp(`^${numbers}(?:${dashed}|-?${words})?${metadata}$`),
  semver: new RegExp(`^${numbers}(?:${dashed}|-${words})?${metadata}$`),
};

/** Longer than any version; the patterns take time that grows with the square of the length. */
const longest = 256;

/** `undefined`: the text is no version. */
export function parseVersion(text: string, flavour: VersionFlavour = 'version'): Version | undefined {
  if (text.length > longest) return undefined;
  const match = patterns[flavour].exec(text);
  if (match === null) return undefined;
  const given = match[1]!.split('.').map(Number);
  const padding = Array.from({ length: Math.max(0, 3 - given.length) }, () => 0);
  return { segments: [...given, ...padding], written: given.length, prerelease: match[2] ?? match[3] ?? '' };
}

/** Negative: `a` comes first. Build metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let at = 0; at < length; at++) {
    const difference = (a.segments[at] ?? 0) - (b.segments[at] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.prerelease === b.prerelease) return 0;
  if (a.prerelease === '') return 1;
  if (b.prerelease === '') return -1;
  const left = a.prerelease.split('.');
  const right = b.prerelease.split('.');
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const order = comparePart(left[at], right[at]);
    if (order !== 0) return order;
  }
  return 0;
}

const isNumeric = (text: string): boolean => /^\d+$/.test(text);

/** A part that one side lacks: numbers come after nothing, words before it. */
function comparePart(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return isNumeric(b!) ? -1 : 1;
  if (b === undefined) return isNumeric(a) ? 1 : -1;
  if (isNumeric(a) && isNumeric(b)) return Number(a) - Number(b);
  if (isNumeric(a)) return -1;
  if (isNumeric(b)) return 1;
  return a < b ? -1 : 1;
}

type Test = (version: Version) => boolean;

/** `">= 1.0, < 2"` → a test that all parts hold; `undefined`: a part is no constraint. */
export function parseVersionConstraint(text: string, flavour: VersionFlavour = 'version'): Test | undefined {
  const tests: Test[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(=|!=|>=|<=|~>|>|<|)\s*(\S+)\s*$/.exec(part);
    const bound = match === null ? undefined : parseVersion(match[2]!, flavour);
    if (bound === undefined || (match![1] === '~>' && flavour === 'semver')) return undefined;
    tests.push(test(match![1]!, bound, flavour));
  }
  return (version) => tests.every((holds) => holds(version));
}

function test(operator: string, bound: Version, flavour: VersionFlavour): Test {
  const comparable: Test = flavour === 'semver' ? () => true : (version) => prereleasesAgree(version, bound);
  switch (operator) {
    case '':
    case '=':
      return (version) => compareVersions(version, bound) === 0;
    case '!=':
      return (version) => compareVersions(version, bound) !== 0;
    case '>':
      return (version) => comparable(version) && compareVersions(version, bound) > 0;
    case '>=':
      return (version) => comparable(version) && compareVersions(version, bound) >= 0;
    case '<':
      return (version) => comparable(version) && compareVersions(version, bound) < 0;
    case '<=':
      return (version) => comparable(version) && compareVersions(version, bound) <= 0;
    default:
      return (version) => comparable(version) && isPessimistic(version, bound);
  }
}

/** A prerelease is only comparable with a constraint that names a prerelease of the same release. */
function prereleasesAgree(version: Version, bound: Version): boolean {
  if (version.prerelease === '') return true;
  return (
    bound.prerelease !== '' &&
    version.segments.length === bound.segments.length &&
    version.segments.every((segment, at) => segment === bound.segments[at])
  );
}

/** `~> 1.2.3`: at least that, and only the last written segment may grow. */
function isPessimistic(version: Version, bound: Version): boolean {
  if (bound.prerelease !== '' && version.prerelease === '') return false;
  if (compareVersions(version, bound) < 0 || bound.segments.length > version.segments.length) return false;
  return bound.segments.slice(0, bound.written - 1).every((segment, at) => segment === version.segments[at]);
}
