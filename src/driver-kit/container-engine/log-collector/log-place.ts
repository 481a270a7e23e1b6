/**
 * Where a reader is in the log of an engine. Its stamps do not tell: two streams are written by two hands, so that a later record may have
 * the earlier time; several may have the same; and clocks are set back. But the records from some time on are, in the engine's order,
 * always the same ones: so a place is such a time and how many of them are stored. Pure.
 */
import { createHash } from 'node:crypto';

export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  /** Unix nanoseconds; some engines say whole seconds. */
  readonly time: bigint;
  readonly data: Buffer;
}

interface Mark {
  /** Unix nanoseconds, decimal; no record before the first of these has this time or a later one. */
  readonly from: string;
  /** Stored ones of this time or a later one. */
  readonly records: number;
  /** What the first of them is; where another is met in its place, the engine no longer has it. */
  readonly first: string;
}

export interface Place {
  /** Where the next reading begins. */
  readonly mark: Mark;
  /** The whole log as a mark: for a clock that was set back behind the other. */
  readonly whole: Mark;
  /** The latest time that was met. */
  readonly newest: string;
}

const nothing: Mark = { from: '0', records: 0, first: '' };
export const startOfLog: Place = { mark: nothing, whole: nothing, newest: '0' };

/** No record comes this much later than one with a greater time, unless the clock was set back. */
const slackNanoseconds = 2_000_000_000n;

export type Met = 'stored' | 'new' | 'new, and others are lost';

export class LogPlace {
  #place: Place;
  /** The mark to come; it is none before the slack is over. */
  #next: Mark | null = null;
  #met = 0;
  /** Of this reading. */
  #stored = 0;
  /** The engine no longer has what the mark begins with: what is not newer is stored, or lost. */
  #lost = false;

  constructor(place: Place) {
    this.#place = place;
  }

  get place(): Place {
    return this.#place;
  }

  /** A reading begins, of all records from `place.mark.from` on. */
  begin(): void {
    this.#met = 0;
    this.#stored = this.#place.mark.records;
    this.#lost = false;
  }

  /** What is new has to be stored, and `passed` then. */
  meet(record: LogRecord): Met {
    const { mark, newest } = this.#place;
    this.#met++;
    if (this.#met === 1 && mark.records > 0 && identity(record) !== mark.first) {
      this.#lost = true;
      this.#stored = 0;
      this.#place = { mark: nothing, whole: nothing, newest };
      this.#next = null;
    }
    if (!this.#lost) return this.#met <= this.#stored ? 'stored' : 'new';
    if (record.time > BigInt(newest)) {
      this.#lost = false;
      return 'new, and others are lost';
    }
    this.passed(record);
    return 'stored';
  }

  passed(record: LogRecord): void {
    const { mark, whole, newest } = this.#place;
    const isNewest = record.time > BigInt(newest);
    const all = counted(whole, record);
    let now = counted(mark, record);
    if (record.time < BigInt(now.from)) {
      // the clock was set back, or the slack is too small: from here on the whole log counts
      now = all;
      this.#next = null;
    } else if (this.#next === null) {
      if (isNewest) this.#next = markAt(record);
    } else if (isNewest && record.time >= BigInt(this.#next.from) + slackNanoseconds) {
      now = counted(this.#next, record);
      this.#next = markAt(record);
    } else {
      this.#next = counted(this.#next, record);
    }
    this.#place = { mark: now, whole: all, newest: isNewest ? String(record.time) : newest };
  }
}

function markAt(record: LogRecord): Mark {
  return { from: String(record.time), records: 1, first: identity(record) };
}

function counted(mark: Mark, record: LogRecord): Mark {
  if (record.time < BigInt(mark.from)) return mark;
  return { from: mark.from, records: mark.records + 1, first: mark.first || identity(record) };
}

function identity({ time, stream, data }: LogRecord): string {
  return createHash('sha256').update(`${time} ${stream} `).update(data).digest('hex').slice(0, 16);
}
