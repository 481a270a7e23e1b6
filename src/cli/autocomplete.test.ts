import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { complete, install } from './autocomplete.ts';
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

it('is written into the start files of shells and taken out again, and only when that is what was asked', async () => {
  const home = mkdtempSync(join(tmpdir(), 'drover-home-'));
  const before = process.env['HOME'];
  process.env['HOME'] = home;
  try {
    const file = join(home, '.bashrc');
    const text = (): string => readFileSync(file, 'utf8');
    writeFileSync(file, 'alias d=drover\n');
    const said = page();
    expect(await install(['-autocomplete-install', '-h'], said.terminal)).toBe(0);
    expect(said.out).toContain('stand alone');
    expect(await install(['-autocomplete-instal'], page().terminal)).toBe(1);
    expect(text()).toBe('alias d=drover\n');
    expect(await install(['-autocomplete-install'], page().terminal)).toBe(0);
    expect(text()).toMatch(/^alias d=drover\ncomplete -o default -C drover drover .*\n$/);
    expect(await install(['-autocomplete-uninstall'], page().terminal)).toBe(0);
    expect(text()).toBe('alias d=drover\n');
  } finally {
    process.env['HOME'] = before;
    rmSync(home, { recursive: true });
  }
});
