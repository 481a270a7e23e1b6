import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Text } from './utf8-text.ts';

describe('text from bytes', () => {
  it('is the text, with its byte order mark', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Text(Buffer.from(`\ufeff${text}`))).toBe(`\ufeff${text}`);
      }),
    );
  });

  it.each([
    ['a byte that no text has', Buffer.from([0x61, 0x0a, 0x62, 0xff, 0x63]), 'line 2, column 2'],
    ['a character that is cut off', Buffer.from('äö').subarray(0, 3), 'line 1, column 2'],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'line 1, column 1'],
  ])('%s is refused at its place', (_, bytes, place) => {
    expect(() => utf8Text(bytes)).toThrow(`${place}: the text is not UTF-8 here`);
  });

  it('names UTF-16, either way round', () => {
    const text = Buffer.from('\ufeff{}', 'utf16le');
    for (const bytes of [text, Buffer.from(text).swap16()])
      expect(() => utf8Text(bytes)).toThrow('the text is in UTF-16; save it as UTF-8');
  });
});
