import { describe, expect, it } from 'vitest';
import { createLog, formatLogJson, formatLogLine, type LogEntry } from './log.ts';

function logged(act: (log: ReturnType<typeof createLog>) => void): LogEntry[] {
  const entries: LogEntry[] = [];
  act(
    createLog(
      '',
      (entry) => entries.push(entry),
      () => Date.UTC(2026, 0, 2),
    ),
  );
  return entries;
}

describe('the log', () => {
  it('names the part that speaks and its fields', () => {
    const [entry] = logged((log) => log.child('client').child('runner').info('started', { task: 'web', count: 2 }));
    expect(formatLogLine(entry!)).toBe('2026-01-02T00:00:00.000Z [INFO]  client.runner: started: task=web count=2');
  });

  it('does not let a message or a field forge a second line', () => {
    const [entry] = logged((log) => log.child('x').warn('one\ntwo', { text: 'a\nb c' }));
    expect(formatLogLine(entry!).split('\n')).toHaveLength(1);
  });

  it('writes JSON with bigints and errors in it', () => {
    const [entry] = logged((log) => log.child('x').error('bad', { index: 5n, error: new Error('why') }));
    expect(JSON.parse(formatLogJson(entry!))).toMatchObject({
      '@level': 'error',
      '@message': 'bad',
      index: '5',
      error: 'why',
    });
  });
});
