import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFault } from '../lib/fault.ts';
import {
  concat,
  decodeFields,
  encodeFrame,
  FRAME_MAX,
  FrameReader,
  field,
  fieldString,
  readU32,
  stringField,
  u32,
  u64,
} from './wire.ts';

const bytes = (max = 300) => fc.uint8Array({ maxLength: max });

describe('frames', () => {
  test('come out as they went in, however the stream is cut', () => {
    const frames = fc.array(fc.record({ type: fc.integer({ min: 0, max: 255 }), payload: bytes() }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(50), { maxLength: 60 }), (sent, cuts) => {
        const stream = concat(sent.map((frame) => encodeFrame(frame.type, frame.payload)));
        const reader = new FrameReader();
        const got = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          got.push(...reader.push(stream.subarray(at, at + cut)));
          at = Math.min(stream.length, at + cut);
        }
        expect(got.map(({ type, payload }) => [type, [...payload]])).toEqual(
          sent.map(({ type, payload }) => [type, [...payload]]),
        );
      }),
    );
  });

  test('of a length out of range are a fault, and any bytes are frames or a fault', () => {
    expect(() => new FrameReader().push(u32(0))).toThrow(/out of range/);
    expect(() => new FrameReader().push(u32(FRAME_MAX + 1))).toThrow(/out of range/);
    expect(() => encodeFrame(1, new Uint8Array(FRAME_MAX))).toThrow(/longer/);
    fc.assert(
      fc.property(bytes(), (chunk) => {
        try {
          new FrameReader().push(chunk);
        } catch (error) {
          expect(isFault(error, 'invalid')).toBe(true);
        }
      }),
    );
  });
});

describe('fields', () => {
  test('come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), bytes())), (fields) => {
        const decoded = decodeFields(concat(fields.map(([tag, value]) => field(tag, value))));
        expect(decoded.map(({ tag, value }) => [tag, [...value]])).toEqual(
          fields.map(([tag, value]) => [tag, [...value]]),
        );
      }),
    );
  });

  test('of any bytes are fields or a fault', () => {
    fc.assert(
      fc.property(bytes(), (data) => {
        try {
          for (const each of decodeFields(data)) fieldString(each.value);
        } catch (error) {
          expect(isFault(error, 'invalid')).toBe(true);
        }
      }),
    );
  });

  test('hold strings without NUL, and only those', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        if (value.includes('\0')) expect(() => stringField(1, value)).toThrow(/NUL/);
        else expect(fieldString(stringField(1, value).subarray(5))).toBe(value);
      }),
    );
  });
});

test('numbers are big endian, negative ones two complement', () => {
  expect([...u32(-2)]).toEqual([255, 255, 255, 254]);
  expect(readU32(u32(0xdeadbeef))).toBe(0xdeadbeef);
  expect([...u64(258n)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2]);
});
