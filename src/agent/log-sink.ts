/** The agent's log: to its output (and a file), and to whoever monitors it. Keeps the last entries for a monitor that connects later. */
import { appendFileSync } from 'node:fs';
import {
  createLog,
  formatLogJson,
  formatLogLine,
  type Log,
  type LogEntry,
  type LogLevel,
  levelAtLeast,
} from '../lib/log.ts';

const kept = 512;

export interface LogSink {
  /** The root: give each part a child of it. */
  readonly log: Log;
  setLevel(level: LogLevel): void;
  /** Entries at the level or above, the kept ones first; ends when the signal fires. A slow reader loses entries and is told how many. */
  follow(level: LogLevel, signal: AbortSignal): AsyncIterable<LogEntry>;
}

export interface LogSinkOptions {
  readonly level: LogLevel;
  readonly json: boolean;
  /** Empty: none. */
  readonly file: string;
  readonly write: (line: string) => void;
}

export function createLogSink(options: LogSinkOptions): LogSink {
  let level = options.level;
  const recent: LogEntry[] = [];
  const listeners = new Set<(entry: LogEntry) => void>();
  const format = options.json ? formatLogJson : formatLogLine;

  function write(entry: LogEntry): void {
    recent.push(entry);
    if (recent.length > kept) recent.shift();
    for (const listener of listeners) listener(entry);
    if (!levelAtLeast(entry.level, level)) return;
    const line = `${format(entry)}\n`;
    options.write(line);
    if (options.file !== '') appendQuietly(options.file, line);
  }

  return {
    log: createLog('', write, Date.now),
    setLevel: (next) => {
      level = next;
    },
    follow: (minimum, signal) => follow(minimum, signal, recent, listeners),
  };
}

/** A full disk must not stop the agent: the line went to the output already. */
function appendQuietly(file: string, line: string): void {
  try {
    appendFileSync(file, line, { mode: 0o640 });
  } catch {
    // said once by whoever reads the output; a message here would fail the same way
  }
}

async function* follow(
  level: LogLevel,
  signal: AbortSignal,
  recent: readonly LogEntry[],
  listeners: Set<(entry: LogEntry) => void>,
) {
  const queue = recent.filter((entry) => levelAtLeast(entry.level, level));
  let dropped = 0;
  let wake = (): void => {};
  const listener = (entry: LogEntry): void => {
    if (!levelAtLeast(entry.level, level)) return;
    if (queue.length < kept) queue.push(entry);
    else dropped++;
    wake();
  };
  listeners.add(listener);
  const stop = (): void => wake();
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const entry = queue.shift();
      if (entry !== undefined) yield entry;
      else if (dropped > 0) {
        yield {
          time: Date.now(),
          level: 'warn' as const,
          name: 'agent',
          message: 'monitor dropped entries',
          fields: { count: dropped },
        };
        dropped = 0;
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    listeners.delete(listener);
    signal.removeEventListener('abort', stop);
  }
}
