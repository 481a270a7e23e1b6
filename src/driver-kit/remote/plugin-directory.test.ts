import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createLog, formatLogLine, type LogEntry } from '../../lib/log.ts';
import { findPlugins } from './plugin-directory.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-plugin-dir-'));
const entries: LogEntry[] = [];
const log = createLog('plugin', (entry) => entries.push(entry), Date.now);

afterEach(() => {
  entries.length = 0;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
});

function file(name: string, mode = 0o755): void {
  writeFileSync(join(directory, name), '#!/bin/sh\n');
  chmodSync(join(directory, name), mode);
}

const named = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { enabled: true }]));
const reasons = () => Object.fromEntries(entries.map(({ fields }) => [fields['file'], fields['reason']]));

test('odd names, links and modes: what can be executed and is named is found, all else has its reason', async () => {
  const odd = ['with space', 'größe ✗', 'two\nlines', '-dash', 'plain', 'setuid', '__proto__', 'constructor'];
  for (const name of odd) file(name, name === 'setuid' ? 0o4755 : 0o755);
  symlinkSync('plain', join(directory, 'link'));
  linkSync(join(directory, 'plain'), join(directory, 'hard'));
  symlinkSync('loop', join(directory, 'loop'));
  symlinkSync('/no/such/file', join(directory, 'dangling'));
  symlinkSync('/tmp', join(directory, 'link-to-directory'));
  mkdirSync(join(directory, 'folder'));
  spawnSync('mkfifo', ['-m', '755', join(directory, 'fifo')]);
  file('not-executable', 0o644);
  file('unnamed\nfile');
  file('.hidden');
  file('twice');
  file('twice.exe');
  const over = ['loop', 'dangling', 'link-to-directory', 'folder', 'fifo', 'not-executable', 'twice'];
  const blocks = Object.assign(Object.create(null), named(...odd, 'link', 'hard', '.hidden', ...over));
  const found = await findPlugins(directory, blocks, log);
  expect(found.map(({ name }) => name).sort()).toEqual([...odd, 'link', 'hard', '.hidden', 'twice'].sort());
  expect(found.find(({ name }) => name === 'twice')?.path).toBe(join(directory, 'twice'));
  expect(reasons()).toEqual({
    loop: 'it cannot be read (a link to nothing?)',
    dangling: 'it cannot be read (a link to nothing?)',
    'link-to-directory': 'it is a directory',
    folder: 'it is a directory',
    fifo: 'it is no regular file',
    'not-executable': 'it is not executable',
    'unnamed\nfile': 'no plugin block of the configuration names it',
    'twice.exe': 'there is twice beside it',
  });
  // a name is one line of the log, whatever it is
  for (const entry of entries) expect(formatLogLine(entry)).not.toContain('\n');
});

test('of thousands of files that are no plugins some are named and the rest counted', async () => {
  for (let at = 0; at < 5000; at++) writeFileSync(join(directory, `note-${at}`), '');
  file('zeta');
  expect(await findPlugins(directory, named('zeta'), log)).toEqual([{ name: 'zeta', path: join(directory, 'zeta') }]);
  expect(entries).toHaveLength(21);
  expect(entries.at(-1)).toMatchObject({ level: 'warn', fields: { directory, count: 4980 } });
});

test('a plugin_dir that is not there is no news; one that cannot be read is said', async () => {
  expect(await findPlugins(join(directory, 'none'), {}, log)).toEqual([]);
  expect(entries.map(({ level }) => level)).toEqual(['debug']);
  file('plain');
  expect(await findPlugins(join(directory, 'plain'), {}, log)).toEqual([]);
  expect(entries.at(-1)).toMatchObject({ level: 'warn', fields: { reason: expect.stringContaining('ENOTDIR') } });
});
