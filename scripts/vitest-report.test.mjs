// What is told of a run in which no test has failed, and yet something has: by vitest itself.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from './lib/source-files.mjs';
import { readReport, reporting } from './lib/vitest-report.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'drover-report-'));
const soon = 'await new Promise((resolve) => setTimeout(resolve, 100));';
const files = {
  dies: `it('lives', () => {}); it('dies', async () => { ${soon} process.abort(); }); it.skip('is left out', () => {}); it('waits', () => {});`,
  forgets: `it('forgets', async () => { Promise.reject(new Error('nobody awaits this')); ${soon} });`,
  fails: `it('fails', async () => { Promise.reject(new Error('of what failed')); ${soon} throw new Error('no'); });`,
  cannot: `beforeAll(() => { throw new Error('not prepared'); }); it('is not run', () => {});`,
};
let code;
let report;
beforeAll(() => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(scratch, `${name}.test.mjs`), text);
  const { args, env } = reporting(join(scratch, 'report'));
  const words = ['run', '--globals', '--pool=forks', '--root', scratch, ...args];
  code = spawnSync(join(root, 'node_modules/.bin/vitest'), words, { env: { ...process.env, ...env } }).status;
  report = readReport(join(scratch, 'report'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const at = (name) => join(scratch, `${name}.test.mjs`);

it('names the test whose process died, and each error that nobody awaited', () => {
  expect(code).toBe(1);
  expect(report.broken).toEqual([
    { name: 'dies', why: `    its end was not told, nor of 1 after it: the process of ${at('dies')} ended` },
    {
      name: `an error outside of tests, the last was ${at('forgets')}: forgets`,
      why: expect.stringContaining('nobody awaits this'),
    },
    { name: 'an error outside of tests', why: expect.stringContaining('Worker exited unexpectedly') },
  ]);
});

it('leaves what went wrong in a file that failed to its next try', () => {
  expect(report.failed.map(({ name }) => name).sort()).toEqual([`${at('cannot')} could not be run`, 'fails']);
  expect([...report.files].sort()).toEqual([at('cannot'), at('fails')]);
  expect(JSON.stringify(report.broken)).not.toContain('of what failed');
});

it('counts as skipped what was to be', () => {
  expect(report).toMatchObject({ passed: 2, skipped: expect.arrayContaining(['is left out']) });
  expect(report.skipped).not.toContain('waits');
});
