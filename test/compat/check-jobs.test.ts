// The comparison of job files that comes with the recordings, run as it is against the built program and a running agent.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startAgent } from '../agent-process.ts';
import { checkJobs, isPresentTool } from './recording.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'drover-check-jobs-'));
const expected = JSON.parse(readFileSync(path.join(import.meta.dirname, 'expected-check-jobs.json'), 'utf8')) as Record<
  string,
  string
>;
/** The others start a process per file or expression: minutes. `jobs.test.ts` and `hcl-expressions.test.ts` compare the same within one. */
const modes = ['expr', 'registered', ...(process.env['DROVER_LONG'] ? ['jobs', 'invalid', 'expr-errors'] : [])];

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.skipIf(!isPresentTool('check-jobs.mjs'))('recorded job files and expressions, through the program', () => {
  it.each(modes)('%s: nothing differs but what is wanted', { timeout: 600_000 }, async (mode) => {
    const expectFile = path.join(scratch, `${mode}.json`);
    const wanted = Object.entries(expected).filter(([name]) => name.startsWith(`${mode}/`));
    writeFileSync(expectFile, JSON.stringify(Object.fromEntries(wanted)));
    const agent = mode === 'registered' ? await startAgent({ args: ['-server'] }) : undefined;
    try {
      const { code, text } = await checkJobs(mode, expectFile, scratch, agent?.address);
      console.log(text.trim());
      expect({ code, text }).toMatchObject({ code: 0 });
    } finally {
      await agent?.dispose();
    }
  });
});
