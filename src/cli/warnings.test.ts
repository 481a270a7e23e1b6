import { expect, it } from 'vitest';
import { formatWarnings } from '../model/job-validate.ts';
import { page } from './cli-test-kit.ts';
import { sayWarnings } from './warnings.ts';

const unserved = 'group "g": the block "service" is not served by this version: nothing is registered';

function said(warnings: readonly string[]): { out: string; error: string } {
  const written = page();
  sayWarnings(written.terminal, formatWarnings([...warnings]));
  return { out: written.out, error: written.error };
}

it('warnings of the reference stand on standard output as it writes them', () => {
  expect(said(['one', 'two\n  more of it'])).toEqual({
    out: `Job Warnings:\n${formatWarnings(['one', 'two\n  more of it'])}\n\n`,
    error: '',
  });
  expect(said([])).toEqual({ out: '', error: '' });
});

it('what this version does not serve is said on standard error, and not counted with the others', () => {
  expect(said(['one', unserved])).toEqual({ out: said(['one']).out, error: `Warning: ${unserved}\n` });
  expect(said([unserved])).toEqual({ out: '', error: `Warning: ${unserved}\n` });
});
