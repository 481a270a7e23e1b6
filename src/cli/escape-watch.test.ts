import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EscapeWatch } from './escape-watch.ts';

/** What passes of chunks typed one after the other, and after how many the session is left. */
function type(chunks: readonly string[], escapeChar = '~'): { passed: string; leftAfter: number | null } {
  const watch = new EscapeWatch(escapeChar);
  let passed = '';
  for (const [at, chunk] of chunks.entries()) {
    const { pass, leave } = watch.take(Buffer.from(chunk));
    passed += Buffer.from(pass).toString();
    if (leave) return { passed, leftAfter: at };
  }
  return { passed, leftAfter: null };
}

it.each([
  [['~.'], '', 0],
  [['ls\r', '~', '.'], 'ls\r', 2],
  [['ls\n~.rest'], 'ls\n', 0],
  [['a~.'], 'a~.', null],
  [['~~.'], '~.', null],
  [['~x'], '~x', null],
  [['~'], '', null],
  [['~\r~.'], '~\r', 0],
] as const)('%j passes %j and leaves after %j', (chunks, passed, leftAfter) => {
  expect(type(chunks)).toEqual({ passed, leftAfter });
});

it('another character may be chosen, or none', () => {
  expect(type(['^.'], '^')).toEqual({ passed: '', leftAfter: 0 });
  expect(type(['~.\n~.'], '')).toEqual({ passed: '~.\n~.', leftAfter: null });
});

it('it does not matter how what is typed is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('~', '.', '\n', '\r', 'a')), (keys) => {
      const [whole, single] = [type([keys.join('')]), type(keys)];
      expect(single.passed).toBe(whole.passed);
      expect(single.leftAfter === null).toBe(whole.leftAfter === null);
    }),
  );
});

it('without the escape character everything passes', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[^~]*$/), (text) => {
      expect(type([text]).passed).toBe(Buffer.from(text).toString());
    }),
  );
});
