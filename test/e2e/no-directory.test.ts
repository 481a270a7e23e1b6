// Paths of users that no directory can be made at: each is refused at once, by name. Node's own way of making directories never ends there.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { drover, freePort } from '../agent-process.ts';

const files = mkdtempSync(join(tmpdir(), 'drover-no-directory-'));
const root = join(import.meta.dirname, '../..');
afterAll(() => rmSync(files, { recursive: true, force: true, maxRetries: 5 }));

function ended(words: readonly string[]): { readonly status: number | null; readonly all: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: files,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
    timeout: 100_000,
  });
  return { status, all: `${stdout}${stderr}` };
}

const noPlace = /directory \/proc\/x cannot be made: \/proc takes no directories/;

describe.skipIf(process.platform !== 'linux')('an agent told to keep below /proc', () => {
  it.each<[string, { readonly data_dir?: string; readonly client?: object }]>([
    ['data_dir', { data_dir: '/proc/x/data' }],
    ['alloc_dir', { client: { alloc_dir: '/proc/x/alloc' } }],
    ['state_dir', { client: { state_dir: '/proc/x/state' } }],
  ])('its %s ends, and says so', async (name, more) => {
    const path = join(files, `${name}.json`);
    const own = {
      data_dir: join(files, name),
      ports: { http: await freePort() },
      server: { enabled: true },
    };
    writeFileSync(path, JSON.stringify({ ...own, ...more, client: { enabled: true, ...more.client } }));
    const { status, all } = ended([drover, 'agent', `-config=${path}`]);
    expect(all).toMatch(noPlace);
    expect(all).not.toMatch(/^ +at /m);
    expect(status).toBe(1);
  });

  it('is not begun by npm start', async () => {
    const { status, all } = ended([join(root, 'scripts/start.mjs'), '-data-dir=/proc/x', `-port=${await freePort()}`]);
    expect([status, all]).toEqual([1, expect.stringMatching(noPlace)]);
  });
});
