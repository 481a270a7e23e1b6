import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { operandHolds } from './operand.ts';

describe('an operand', () => {
  it.each([
    ['=', 'linux', 'linux', true],
    ['==', 'linux', 'Linux', false],
    ['is', 'a', 'a', true],
    ['=', undefined, 'a', false],
    ['!=', 'a', 'b', true],
    ['not', 'a', 'a', false],
    ['!=', undefined, 'a', true],
    ['<', '9', '10', true],
    ['<=', '10', '10', true],
    ['>', '10', '9', true],
    ['>=', '9007199254740993', '9007199254740992', true],
    ['>', '9007199254740993', '9007199254740992', true],
    ['<', '1.5', '10', true],
    ['>', '-1', '-2.5', true],
    ['<', '10', '9a', true],
    ['<', 'abc', 'abd', true],
    ['>', undefined, '1', false],
    ['version', '1.2.3', '>= 1.0, < 2', true],
    ['version', '1.2.3', '~> 1.3', false],
    ['version', 'x', '>= 1', false],
    ['version', '2', 'nonsense', false],
    ['semver', '1.3.0-beta1', '>= 1.2', true],
    ['version', '1.3.0-beta1', '>= 1.2', false],
    ['regexp', '4.9.32-linuxkit', '[0-9.]+', true],
    ['regexp', 'LINUX', '(?i)linux', true],
    ['regexp', 'a', '(', false],
    ['regexp', 'x86_64', '^(?P<arch>x86|arm)_', true],
    ['regexp', 'ax86', '^x86', false],
    ['set_contains', 'a, b,c', 'a,c', true],
    ['set_contains_all', 'a,b', 'a,d', false],
    ['set_contains_any', 'a,b', 'd, b', true],
    ['set_contains_any', 'a,b', 'd,e', false],
    ['is_set', 'x', '', true],
    ['is_set', undefined, '', false],
    ['is_not_set', undefined, '', true],
    ['distinct_hosts', undefined, 'true', true],
    ['nobody knows', 'a', 'a', false],
  ])('%s of %s and %s is %s', (operand, left, right, expected) => {
    expect(operandHolds(operand, left, right)).toBe(expected);
  });

  it('does not run for ever on a hostile pattern', () => {
    expect(operandHolds('regexp', `${'a'.repeat(5000)}!`, '(a+)+$')).toBe(false);
  });

  it('orders any two texts in one way only', () => {
    const text = fc.oneof(
      fc.integer().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.string(),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect([operandHolds('<', a, b), operandHolds('>=', a, b)].filter(Boolean)).toHaveLength(1);
        expect(operandHolds('<', a, b)).toBe(operandHolds('>', b, a));
      }),
    );
  });

  it('never throws, whatever it is given', () => {
    const operand = fc.constantFrom(
      '=',
      '<',
      'version',
      'semver',
      'regexp',
      'set_contains',
      'set_contains_any',
      'is_set',
      '',
    );
    fc.assert(
      fc.property(
        operand,
        fc.option(fc.string(), { nil: undefined }),
        fc.option(fc.string(), { nil: undefined }),
        (...given) => {
          expect(typeof operandHolds(...given)).toBe('boolean');
        },
      ),
    );
  });
});
