import { expect, it } from 'vitest';
import { complete } from './autocomplete.ts';
import { page } from './cli-test-kit.ts';

async function offers(typed: string): Promise<string[]> {
  const written = page();
  await complete(typed, written.terminal);
  return written.out.trimEnd().split('\n');
}

it('completes the words of commands, short forms among them', async () => {
  expect(await offers('drover job st')).toEqual(['start', 'status', 'stop']);
  expect(await offers('drover ver')).toEqual(['version']);
  expect(await offers('drover r')).toEqual(['run']);
  expect(await offers('drover node pool ')).toEqual(['apply', 'delete', 'info', 'init', 'jobs', 'list', 'nodes']);
});

it('completes the flags of a command, its own and the common ones', async () => {
  expect(await offers('drover run -de')).toEqual(['-detach']);
  expect(await offers('drover job status -a')).toEqual(['-address', '-all-allocs']);
});

it('offers nothing, quickly, where no agent answers', async () => {
  process.env['NOMAD_ADDR'] = 'http://127.0.0.1:1';
  try {
    expect(await offers('drover job status we')).toEqual(['']);
  } finally {
    delete process.env['NOMAD_ADDR'];
  }
});
