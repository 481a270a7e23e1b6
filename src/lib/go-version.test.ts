import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, parseVersion, parseVersionConstraint, type VersionFlavour } from './go-version.ts';

const holds = (constraint: string, version: string, flavour: VersionFlavour = 'version'): boolean | undefined => {
  const parsed = parseVersion(version, flavour);
  return parsed === undefined ? undefined : parseVersionConstraint(constraint, flavour)?.(parsed);
};

describe('a version constraint', () => {
  it.each([
    ['>= 1.0, < 1.4', '1.3.9', true],
    ['>= 1.0, < 1.4', '1.4', false],
    ['~> 1.2', '1.9.0', true],
    ['~> 1.2', '2.0.0', false],
    ['~> 1.2', '1.1.9', false],
    ['~> 1.2.3', '1.2.9', true],
    ['~> 1.2.3', '1.3.0', false],
    ['~> 1', '7.0.0', true],
    ['= 1.2', '1.2.0', true],
    ['1.2', '1.2.0', true],
    ['!= 1.2', '1.2.1', true],
    ['> 2', 'v2.0.1', true],
    ['<= 4.0', '3.10.0-1160.el7', false],
    ['>= 1.0', '1.2.0-beta1', false],
    ['>= 1.2.0-beta1', '1.2.0-beta2', true],
    ['>= 1.2.0-beta1', '1.3.0-beta2', false],
    ['>= 1.2.0-beta1', '1.3.0', true],
    ['~> 1.2.0-beta1', '1.2.0', false],
    ['= 1.0.0+abc', '1.0.0+def', true],
    ['>= 0.10', '0.9.4', false],
  ])('%s of %s is %s', (constraint, version, expected) => {
    expect(holds(constraint, version)).toBe(expected);
  });

  it.each([
    ['>= 1.2', '1.3.0-beta1', true],
    ['> 1.3.0-alpha', '1.3.0-beta1', true],
    ['>= 1.3.0', '1.3.0-beta1', false],
    ['>= 1.7.0-a', '2.0.6', true],
    ['< 2', '1.9.9', true],
    ['~> 1.2', '1.2.3', undefined],
  ])('as semver, %s of %s is %s', (constraint, version, expected) => {
    expect(holds(constraint, version, 'semver')).toBe(expected);
  });

  it('refuses what is no constraint', () => {
    for (const text of ['', '>', '=> 1', '>= x', '>= 1,, < 2', 'one'])
      expect(parseVersionConstraint(text)).toBeUndefined();
  });
});

describe('a version', () => {
  it('takes what people write, and refuses what is none', () => {
    expect(parseVersion('1.2beta1')).toMatchObject({ segments: [1, 2, 0], written: 2, prerelease: 'beta1' });
    expect(parseVersion('1.2beta1', 'semver')).toBeUndefined();
    for (const text of ['', 'x', '1.', '1..2', '1.2 ']) expect(parseVersion(text)).toBeUndefined();
  });

  it('orders prereleases before their release, numbers before words', () => {
    const order = [
      '1.0.0-1',
      '1.0.0-alpha',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.10',
    ];
    const parsed = order.map((text) => parseVersion(text)!);
    for (let at = 1; at < parsed.length; at++) expect(compareVersions(parsed[at - 1]!, parsed[at]!)).toBeLessThan(0);
  });

  it('never throws, and orders both ways alike', () => {
    const part = fc.constantFrom('1', '2', '10', '.', '-', 'beta', 'rc', '+', 'v', '~');
    const text = fc.array(part, { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text, text, (a, b) => {
        const left = parseVersion(a);
        const right = parseVersion(b);
        parseVersionConstraint(`>= ${a}`);
        if (left && right)
          expect(Math.sign(compareVersions(left, right))).toBe(0 - Math.sign(compareVersions(right, left)));
      }),
    );
  });
});

describe('a text of any length', () => {
  it('is a version up to 256 characters', () => {
    const longest = `1.2.3-${'a'.repeat(250)}`;
    expect(parseVersion(longest)).toBeDefined();
    expect(parseVersion(`${longest}a`)).toBeUndefined();
    expect(parseVersion(longest, 'semver')).toBeDefined();
    expect(parseVersion(`${longest}a`, 'semver')).toBeUndefined();
  });
});
