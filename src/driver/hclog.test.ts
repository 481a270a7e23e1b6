import { expect, test } from 'vitest';
import { createLog } from '../lib/log.ts';
import { formatHclog, parsePluginLine } from './hclog.ts';

test('a line of a plugin keeps its level, message and fields', () => {
  const line =
    '{"@level":"warn","@message":"went wrong","@module":"x","@timestamp":"2026-01-02T15:04:05.000000Z","n":1}';
  expect(parsePluginLine(line)).toEqual({ level: 'warn', message: 'went wrong', fields: { module: 'x', n: 1 } });
  expect(parsePluginLine('[ERROR] no')).toMatchObject({ level: 'error', message: 'no' });
  expect(parsePluginLine('2026/01/02 [INFO] yes')).toMatchObject({ level: 'info', message: 'yes' });
  expect(parsePluginLine('panic: runtime error')).toMatchObject({ level: 'error' });
  expect(parsePluginLine('{"@level":"warn"')).toMatchObject({ level: 'debug' });
  expect(parsePluginLine('{"@message":7}')).toMatchObject({ level: 'debug' });
});

test('what we write is read back, with a time of six digits', () => {
  const written: string[] = [];
  createLog(
    'mock',
    (entry) => written.push(formatHclog(entry)),
    () => 0,
  ).error('it broke', { big: 2n ** 60n, cause: new Error('why') });
  expect(JSON.parse(written[0]!)['@timestamp']).toBe('1970-01-01T00:00:00.000000Z');
  expect(parsePluginLine(written[0]!)).toEqual({
    level: 'error',
    message: 'it broke',
    fields: { module: 'mock', big: String(2n ** 60n), cause: 'why' },
  });
});
