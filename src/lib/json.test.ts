import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFault } from './fault.ts';
import { formatJson, parseJson, parseNouns } from './json.ts';

/** JSON without the integers on which the two readers differ on purpose. */
const exactJson = fc.jsonValue().filter((value) => !/\d{16}/.test(JSON.stringify(value)));

describe('the JSON codec', () => {
  it('keeps integers beyond 2^53 exact in both directions', () => {
    const text = '{"a":9007199254740993,"b":[-12345678901234567890],"c":1.5}';
    expect(parseJson(text)).toEqual({ a: 9007199254740993n, b: [-12345678901234567890n], c: 1.5 });
    expect(formatJson(parseJson(text))).toBe(text);
  });

  it('gives numbers back as the numbers they were, instants in nanoseconds too, on either path', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: 0, max: 4e12 }), (any, ms) => {
        const numbers = [any, ms * 1e6, Math.round(any)];
        const plain = parseJson(JSON.stringify(numbers)) as number[];
        const slow = parseJson(JSON.stringify([...numbers, 0]).replace(/0]$/, '9007199254740993]')) as number[];
        numbers.forEach((number, n) => {
          expect(plain[n]).toBe(number + 0);
          expect(slow[n]).toBe(number + 0);
        });
      }),
    );
  });

  it('takes digits inside strings for what they are', () => {
    expect(parseJson('{"id":"12345678901234567890"}')).toEqual({ id: '12345678901234567890' });
  });

  it('reads what JSON.parse reads, also on its own slow path', () => {
    fc.assert(
      fc.property(exactJson, (value) => {
        const text = JSON.stringify([value, '1234567890123456']);
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('writes what JSON.stringify writes where a big integer is among the values', () => {
    fc.assert(
      fc.property(exactJson, (value) => {
        expect(formatJson([value, 1n], 4)).toBe(JSON.stringify([value, 1], undefined, 4));
      }),
    );
  });

  it('reads integers of up to 1,000 characters exactly and refuses longer ones', () => {
    const longest = '9'.repeat(1000);
    expect(parseJson(`[${longest}]`)).toEqual([BigInt(longest)]);
    expect(() => parseJson(`[${longest}9]`)).toThrow('line 1, column 2: a number of 1001 characters');
  });

  it('names line and column of a syntax error', () => {
    for (const [text, place] of [
      ['{"a":\n  nope}', 'line 2, column 3'],
      ['[1,]', 'line 1, column 4'],
      ['', 'line 1, column 1'],
    ] as const) {
      expect(() => parseJson(text)).toThrow(place);
    }
  });

  it('refuses any broken text with a fault and never with another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((text) => text.slice(0, -1)),
        ),
        (text) => {
          try {
            parseJson(text);
          } catch (error) {
            expect(isFault(error, 'invalid')).toBe(true);
          }
        },
      ),
    );
  });

  it('does not let a key change the prototype', () => {
    const value = parseJson('{"__proto__":{"polluted":1},"n":12345678901234567890}') as object;
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('reading API nouns', () => {
  it('gives instants as numbers and keeps integers of free-form maps exact', () => {
    expect(parseNouns('{"SubmitTime":1795489569123456789,"Tasks":[{"Config":{"n":9007199254740993}}]}')).toEqual({
      SubmitTime: 1795489569123456800,
      Tasks: [{ Config: { n: 9007199254740993n } }],
    });
  });
});
