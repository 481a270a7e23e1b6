import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogPlace, type LogRecord, startOfLog } from './log-place.ts';

const second = 1_000_000_000n;
const record = (at: bigint, text: string): LogRecord => ({ stream: 'stdout', time: at, data: Buffer.from(text) });

/** An engine's log, read in lives: each from its place on, ended after so many records; what is stored is kept beside the place. */
function read(logs: readonly (readonly LogRecord[])[], lives: readonly number[]) {
  let place = startOfLog;
  const stored: string[] = [];
  let gaps = 0;
  for (const [at, life] of lives.entries()) {
    const reader = new LogPlace(JSON.parse(JSON.stringify(place)));
    reader.begin();
    const log = logs[Math.min(at, logs.length - 1)]!;
    const answered = log.filter(({ time }) => time >= BigInt(place.mark.from)).slice(0, life);
    for (const each of answered) {
      const met = reader.meet(each);
      if (met === 'stored') continue;
      if (met !== 'new') gaps++;
      stored.push(String(each.data));
      reader.passed(each);
      place = reader.place;
    }
  }
  return { stored, gaps };
}

describe('a place in the log of an engine', () => {
  test('each record is stored once, in order, whatever the stamps of two streams and however often it is read again', () => {
    const late = fc.integer({ min: 0, max: 1_900_000_000 });
    const step = fc.integer({ min: 0, max: 700_000_000 });
    const property = fc.property(
      fc.array(fc.tuple(step, late), { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(70), { maxLength: 8 }),
      fc.boolean(),
      (steps, lives, inSeconds) => {
        let now = 1_800_000_000n * second;
        const log = steps.map(([ahead, behind], at) => {
          now += BigInt(ahead);
          const time = now - BigInt(behind);
          return record(inSeconds ? time - (time % second) : time, `line ${at}`);
        });
        // of seconds alone, two of one stream are never in the wrong order
        if (inSeconds) log.sort((a, b) => Number(a.time - b.time));
        expect(read([log], [...lives, 1000])).toEqual({ stored: log.map(({ data }) => String(data)), gaps: 0 });
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });

  test('a clock that is set back loses nothing and doubles nothing', () => {
    const at = (seconds: number) => BigInt(seconds) * second;
    const times = [5000, 5001, 5005, 5006, 1000, 1001, 1002, 1010, 1011, 6000];
    const log = times.map((time, index) => record(at(time), `line ${index}`));
    // a reader that was away when it happened asks for what is newer than what it has: no engine says more
    for (let first = 5; first <= times.length; first++)
      for (let then = 0; then <= times.length; then++)
        expect(read([log], [first, then, 1000]).stored).toEqual(log.map(({ data }) => String(data)));
  });

  test('what the engine no longer has is a gap, and what it still has is not stored again', () => {
    const log = Array.from({ length: 20 }, (_, at) => record(1_000n * second + BigInt(at) * second, `line ${at}`));
    const names = log.map(({ data }) => String(data));
    // five were read, the engine then has the last ten
    expect(read([log, log.slice(10)], [5, 1000])).toEqual({
      stored: [...names.slice(0, 5), ...names.slice(10)],
      gaps: 1,
    });
    // fifteen were read, and of the last seconds of them some are gone
    for (const lives of [
      [15, 1000],
      [15, 1, 2, 1000],
      [15, 3, 1000],
    ])
      expect(read([log, log.slice(13)], lives).stored).toEqual(names);
    expect(read([log, log.slice(10)], [15, 1000])).toEqual({ stored: names, gaps: 0 });
  });
});
