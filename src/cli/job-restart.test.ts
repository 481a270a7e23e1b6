import { expect, it } from 'vitest';
import { batchSize } from './job-restart.ts';
import { escapeHtml } from './job-run.ts';

it.each([
  ['1', 10, 1],
  ['25%', 10, 3],
  ['1%', 10, 1],
  ['100%', 4, 4],
])('a batch of %s out of %i is %i', (text, count, size) => {
  expect(batchSize(text, count)).toBe(size);
});

it.each(['0', '-1', 'x', '0%', '1.5'])('%s is no batch size', (text) => {
  expect(() => batchSize(text, 10)).toThrow('Invalid -batch-size value');
});

it('-output writes JSON as Go does', () => {
  expect(escapeHtml('{"a": "<b> & c"}')).toBe('{"a": "\\u003cb\\u003e \\u0026 c"}');
  expect(JSON.parse(escapeHtml('"<&>\u2028"'))).toBe('<&>\u2028');
});
