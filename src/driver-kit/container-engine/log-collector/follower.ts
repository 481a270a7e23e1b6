/**
 * One container's output → the task's log files, each byte once whatever is killed: the engine's own log is read from a cursor.
 *
 *   reading ──(engine away)──▶ waiting ──▶ reading … ──(container ended, nothing left)──▶ drained
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, isFault } from '../../../lib/fault.ts';
import { FifoSink } from '../../../supervise/fallback/fifo.ts';
import { LogFile, rewindLog, type Sink } from '../../../supervise/fallback/log-file.ts';
import { parseEndpoint } from '../endpoint.ts';
import { containerState, nanoseconds, textAt } from '../engine-answers.ts';
import { EngineClient } from '../engine-client.ts';
import { FrameSplitter } from '../frames.ts';
import type { Cursor, FollowRequest } from './follow-request.ts';
import { LogPlace, type LogRecord, startOfLog } from './log-place.ts';

const begin: Cursor = { place: startOfLog, stdout: null, stderr: null, dropped: 0, gaps: 0, ended: false };
const longestPauseMs = 2_000;

export class Follower {
  readonly request: FollowRequest;
  readonly drained: Promise<void>;
  readonly #client: EngineClient;
  readonly #stop = new AbortController();
  readonly #cursorFile: number;
  readonly #sinks: { readonly stdout: Sink; readonly stderr: Sink };
  #cursor: Cursor;
  readonly #place: LogPlace;

  /** Throws where the files cannot be had. */
  constructor(request: FollowRequest, cursorPath: string) {
    this.request = request;
    this.#client = new EngineClient(request.engine, parseEndpoint(request.endpoint, request.tls), request.prefix);
    this.#cursor = readCursor(cursorPath);
    this.#place = new LogPlace(this.#cursor.place);
    this.#cursorFile = openSync(cursorPath, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#sinks = { stdout: this.#sink('stdout'), stderr: this.#sink('stderr') };
    this.drained = this.#cursor.ended ? Promise.resolve() : this.#run();
    this.drained.catch(() => {});
  }

  close(): void {
    this.#stop.abort();
    this.#sinks.stdout.close();
    this.#sinks.stderr.close();
    closeSync(this.#cursorFile);
  }

  #sink(stream: 'stdout' | 'stderr'): Sink {
    const { request } = this;
    if (request.fifos !== null) return new FifoSink(request.fifos[stream]);
    const rotation = { ...request, stdout: request.stdout, stderr: request.stderr };
    const at = this.#cursor[stream];
    if (at !== null) rewindLog(rotation, request[stream], at);
    return new LogFile(rotation, request[stream]);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const before = this.#cursor;
        await this.#read(true);
        // the follower's stream may end a moment before the engine's log does
        if (!(await this.#running())) {
          await this.#read(false);
          return this.#end();
        }
        failures = this.#cursor === before ? failures + 1 : 0;
      } catch (error) {
        if (signal.aborted) return;
        if (isFault(error, 'not_found')) return this.#end();
        failures++;
      }
      await sleep(Math.min(longestPauseMs, 50 * 2 ** Math.min(failures, 10)), undefined, { signal }).catch(() => {});
    }
  }

  #end(): void {
    this.#keep({ ended: true });
  }

  async #running(): Promise<boolean> {
    const path = `/containers/${this.request.containerId}/json`;
    const answer = await this.#client.json('GET', path, { signal: this.#stop.signal, timeoutMs: 10_000 });
    return containerState(answer, this.request.containerId).running || textAt(answer, 'State', 'Status') === 'created';
  }

  async #read(follow: boolean): Promise<void> {
    const { containerId, engine, tty } = this.request;
    const time = this.#place.place.mark.from;
    const since = `${time.slice(0, -9) || '0'}.${time.slice(-9).padStart(9, '0')}`;
    const query = { follow: String(follow), stdout: 'true', stderr: 'true', timestamps: 'true', since };
    const { signal } = this.#stop;
    // podman ends a record wherever its task paused for breath, and has a call that frames them with a terminal too
    const framed = engine === 'podman';
    const path = `${framed ? '/libpod' : ''}/containers/${containerId}/logs`;
    const stream = await this.#client.stream('GET', path, { query, signal });
    this.#place.begin();
    const records = tty && !framed ? new LineRecords() : new FrameRecords();
    for await (const part of stream as AsyncIterable<Buffer>) await this.#storeAll(records.push(part));
    await this.#storeAll(records.rest());
  }

  async #storeAll(records: readonly LogRecord[]): Promise<void> {
    let changed = false;
    for (const record of records) changed = (await this.#store(record)) || changed;
    if (changed) this.#keep({});
  }

  /** False: it is stored already. */
  async #store(record: LogRecord): Promise<boolean> {
    const met = this.#place.meet(record);
    if (met === 'stored') return false;
    const sink = this.#sinks[record.stream];
    if (!sink.write(record.data)) await new Promise<void>((resolve) => sink.onReady(resolve));
    this.#place.passed(record);
    const gaps = this.#cursor.gaps + (met === 'new' ? 0 : 1);
    this.#cursor = { ...this.#cursor, place: this.#place.place, gaps };
    return true;
  }

  /** A short line in place of the one before; the page cache keeps it over the death of this process. */
  #keep(more: Partial<Cursor>): void {
    const { stdout, stderr } = this.#sinks;
    const at = (sink: Sink): Cursor['stdout'] => (sink instanceof LogFile ? sink.position : null);
    const dropped = Number(stdout.dropped + stderr.dropped);
    this.#cursor = { ...this.#cursor, stdout: at(stdout), stderr: at(stderr), dropped, ...more };
    writeCursor(this.#cursorFile, this.#cursor);
  }
}

const cursorBytes = 512;

/** Always as long, so that one write puts it in the place of the one before. */
function writeCursor(fd: number, cursor: Cursor): void {
  writeSync(fd, JSON.stringify(cursor).padEnd(cursorBytes), 0);
}

function readCursor(path: string): Cursor {
  try {
    return { ...begin, ...(JSON.parse(readFileSync(path, 'utf8')) as Partial<Cursor>) };
  } catch {
    return begin;
  }
}

/** `2026-01-02T03:04:05.123456789Z text`. `Fault('unavailable')`: the engine said something else, which is none of the task's output. */
function stamped(stream: LogRecord['stream'], data: Buffer): LogRecord {
  const blank = data.indexOf(0x20);
  const time = blank > 0 && blank < 40 ? nanoseconds(data.subarray(0, blank).toString('latin1')) : 0n;
  if (time === 0n) throw new Fault('unavailable', 'the engine answers nonsense in place of output');
  return { stream, time, data: data.subarray(blank + 1) };
}

class FrameRecords {
  readonly #frames = new FrameSplitter();

  push(part: Buffer): readonly LogRecord[] {
    return this.#frames.push(part).map(({ stream, data }) => stamped(stream, data));
  }

  rest(): readonly LogRecord[] {
    return [];
  }
}

/** Bytes: docker makes several records of a line that is longer. */
const longestRecord = 16 * 1024;
const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /;

/** Without frames a record is a line; in one that is too long for that, the next record begins with its stamp. */
class LineRecords {
  #rest: Buffer = Buffer.alloc(0);

  push(part: Buffer): readonly LogRecord[] {
    this.#rest = Buffer.concat([this.#rest, part]);
    const records: LogRecord[] = [];
    for (let end = this.#end(); end > 0; end = this.#end()) {
      records.push(stamped('stdout', this.#rest.subarray(0, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return records;
  }

  rest(): readonly LogRecord[] {
    return this.#rest.length === 0 ? [] : [stamped('stdout', this.#rest)];
  }

  /** 0: the first record is not whole yet. */
  #end(): number {
    const line = this.#rest.indexOf(0x0a) + 1;
    const full = this.#rest.indexOf(0x20) + 1 + longestRecord;
    if (line > 0 && line <= full) return line;
    const next = stamp.exec(this.#rest.toString('latin1', full, line > 0 ? line : this.#rest.length));
    return next === null ? line : full + next.index;
  }
}
