/** What everybody logs through. Fields are data, never secrets; a message is a lower-case clause without values. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogFields {
  readonly [name: string]: unknown;
}

export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** `client` → `client.alloc_runner`; the root has no name of its own. */
  child(name: string): Log;
}

/** Where entries go: formatted there, because a monitor may ask for another level and form than the agent's own output. */
export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  readonly name: string;
  readonly message: string;
  readonly fields: LogFields;
}

const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];

/** True where an entry of `level` is written by who asks for `minimum` and worse. */
export function levelAtLeast(level: LogLevel, minimum: LogLevel): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(minimum);
}

/** A log by this name, `""`: the root. `now`: milliseconds since 1970. */
export function createLog(name: string, write: (entry: LogEntry) => void, now: () => number): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      write({ time: now(), level, name, message, fields });
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (child) => createLog(name === '' ? child : `${name}.${child}`, write, now),
  };
}

/** For parts that run without anybody listening. */
export const silentLog: Log = createLog(
  '',
  () => {},
  () => 0,
);

/** `2026-11-24T10:00:00.000Z [INFO]  agent: started: http=127.0.0.1:4646`, no line end. */
export function formatLogLine(entry: LogEntry): string {
  const level = `[${entry.level.toUpperCase()}]`.padEnd(7);
  const fields = Object.entries(entry.fields).map(([key, value]) => `${key}=${formatField(value)}`);
  const message = `${oneLine(entry.message)}${fields.length > 0 ? `: ${fields.join(' ')}` : ''}`;
  return `${new Date(entry.time).toISOString()} ${level} ${entry.name}: ${message}`;
}

/** One JSON object per line, with the field names that log shippers of Nomad expect. */
export function formatLogJson(entry: LogEntry): string {
  const fields = Object.fromEntries(
    Object.entries(entry.fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  );
  return JSON.stringify(
    {
      '@level': entry.level,
      '@message': entry.message,
      '@module': entry.name,
      '@timestamp': new Date(entry.time).toISOString(),
      ...fields,
    },
    (_, value) => (typeof value === 'bigint' ? value.toString() : value),
  );
}

function formatField(value: unknown): string {
  const text =
    value instanceof Error
      ? value.message
      : typeof value === 'object' && value !== null
        ? JSON.stringify(value, bigintText)
        : String(value);
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

const bigintText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);

/** A message cannot forge a second line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
