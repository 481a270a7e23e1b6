import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFault } from '../lib/fault.ts';
import { exitRecord, parseJson, shimStatus } from './exit-record.ts';
import transcript from './transcript-v1.json' with { type: 'json' };

const text = JSON.stringify(transcript.exitRecord);

test('a record cut anywhere, or with any byte changed, is the record, or a fault, never a crash', () => {
  for (let end = 0; end < text.length; end++) {
    expect(() => exitRecord(parseJson(text.slice(0, end)))).toThrow();
  }
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
      try {
        exitRecord(parseJson(text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1)));
      } catch (error) {
        expect(isFault(error)).toBe(true);
      }
    }),
  );
});

test('a record without one of its members is a fault that names it', () => {
  for (const name of Object.keys(transcript.exitRecord)) {
    const { [name as 'code']: _, ...rest } = transcript.exitRecord;
    expect(() => exitRecord(rest), name).toThrow(name === 'version' ? /version/ : new RegExp(name));
  }
});

test('any JSON is a record, a status, or a fault', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const read of [exitRecord, shimStatus]) {
        try {
          read(value);
        } catch (error) {
          expect(isFault(error)).toBe(true);
        }
      }
    }),
  );
});
