import { expect, test } from 'vitest';
import { createLog } from '../lib/log.ts';
import { formatHclog, lastReason, parsePluginLine } from './hclog.ts';

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

test('of the last words of a program that ended the line is taken that says why', () => {
  const node = `file:///opt/driver.mjs:3
throw new Error('boom at import');
      ^

Error: boom at import
    at file:///opt/driver.mjs:3:7
    at ModuleJob.run (node:internal/modules/esm/module_job:343:25) {
  code: 'MINE'
}

Node.js v20.20.2
`;
  expect(lastReason(node)).toBe('Error: boom at import');
  const python = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: no engine\n';
  expect(lastReason(python)).toBe('ValueError: no engine');
  const go = 'panic: runtime error: no engine\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x18\n';
  expect(lastReason(go)).toBe('panic: runtime error: no engine');
  expect(lastReason('[INFO] starting\n[ERROR] no engine here\n')).toBe('no engine here');
  expect(lastReason('{"@level":"error","@message":"gone","@timestamp":"x"}\n')).toBe('gone');
  expect(lastReason('Error: at first\n{"@level":"error","@message":"gone","@timestamp":"x"}\n')).toBe('gone');
  const ours = 'hello\nx.mjs cannot be loaded: boom at import\n  at /tmp/x.mjs:3:7\n';
  expect(lastReason(ours)).toBe('x.mjs cannot be loaded: boom at import');
  expect(lastReason('sh: 1: nope: not found\n\n')).toBe('sh: 1: nope: not found');
  expect(lastReason('')).toBe('');
});
