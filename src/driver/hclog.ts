/** Log entries between a plugin and its host, one line each: JSON with hclog's keys, a `[WARN]` prefix, or plain text (debug). Pure. */
import type { LogEntry, LogFields, LogLevel } from '../lib/log.ts';

export interface PluginLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

const levels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];
const prefix = /^(?:\S+ )?\[(TRACE|DEBUG|INFO|WARN|ERROR)\]\s*/;
/** A longer line is cut. */
const maxLine = 64 * 1024;

export function parsePluginLine(given: string): PluginLine {
  const line = given.slice(0, maxLine);
  if (line.startsWith('{')) {
    const entry = parseJsonLine(line);
    if (entry !== null) return entry;
  }
  const found = prefix.exec(line);
  if (found !== null) return { level: levelOf(found[1]), message: line.slice(found[0].length), fields: {} };
  const panic = /^(panic: |fatal error: |goroutine \d+ \[)/.test(line);
  return { level: panic ? 'error' : 'debug', message: line, fields: {} };
}

const reason = /^\s*(?:Uncaught |panic: |fatal error: |[\w.]*(?:Error|Exception)\b)/;

/** Of a plugin that ended, the line of its last words that says why: below it may stand where it was, and what ran it. `""`: it said nothing. */
export function lastReason(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^(Node\.js v\d|\s+at )/.test(line));
  const last = lines.at(-1) ?? '';
  // of the kit's own, or of a program that logs: its last entry
  if (last.startsWith('{') && last !== '{') return parsePluginLine(last).message;
  return parsePluginLine((lines.findLast((line) => reason.test(line)) ?? last).trim()).message;
}

function parseJsonLine(line: string): PluginLine | null {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    if (typeof entry['@message'] !== 'string') return null;
    const fields = Object.entries(entry).filter(([name]) => !['@level', '@message', '@timestamp'].includes(name));
    return {
      level: levelOf(entry['@level']),
      message: entry['@message'],
      fields: Object.fromEntries(fields.map(([name, value]) => [name.replace(/^@/, ''), value])),
    };
  } catch {
    return null;
  }
}

function levelOf(word: unknown): LogLevel {
  return levels.find((level) => level === String(word).toLowerCase()) ?? 'debug';
}

/** As a host reads it: the time with exactly six digits of a second, else the line is shown raw. */
export function formatHclog({ time, level, name, message, fields }: LogEntry): string {
  const stamp = new Date(time).toISOString().replace(/\.(\d{3})Z$/, '.$1000Z');
  const texts = Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]);
  const entry = {
    ...Object.fromEntries(texts),
    '@level': level,
    '@message': message,
    ...(name === '' ? {} : { '@module': name }),
    '@timestamp': stamp,
  };
  return JSON.stringify(entry, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
}
