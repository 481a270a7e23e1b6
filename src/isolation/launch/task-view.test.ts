import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { followed, Miss, sandboxPlaces } from './task-view.ts';

const host = mkdtempSync(join(tmpdir(), 'drover-view-'));
afterAll(() => rmSync(host, { recursive: true }));

mkdirSync(join(host, 'usr/lib'), { recursive: true });
mkdirSync(join(host, 'kernel/groups/cpu'), { recursive: true });
writeFileSync(join(host, 'usr/program'), '');
symlinkSync('usr/lib', join(host, 'lib'));
for (const [name, target] of [
  ['outside', '/opt/tool'],
  ['inside', '/lib'],
  ['own', '../local'],
  ['volume', '/data/x'],
  ['round', 'round'],
])
  symlinkSync(target!, join(host, 'usr', name!));

const system = [
  { from: join(host, 'usr'), to: '/usr' },
  { from: join(host, 'lib'), to: '/lib' },
  { from: join(host, 'kernel'), to: '/sys' },
  { from: join(host, 'usr/lib'), to: '/opt/a/lib' },
  { from: join(host, 'kernel/groups'), to: '/sys/groups', empty: 'always' },
] as const;
const mounts = [{ taskPath: '/data/', hostPath: '/nowhere', readOnly: false, propagation: '' }] as const;

test.each([
  ['/', 'made'],
  ['/usr', 'usr'],
  ['/usr/program', 'usr/program'],
  ['/usr/lib/../program', 'usr/program'],
  ['/usr//./lib/', 'usr/lib'],
  ['/usr/program/x', 'Not a directory'],
  ['/usr/none', 'No such file or directory'],
  ['/lib', 'usr/lib'],
  ['/opt', 'made'],
  ['/opt/a', 'made'],
  ['/opt/a/lib', 'usr/lib'],
  ['/opt/b', 'No such file or directory'],
  ['/sys/groups', 'made'],
  ['/sys/groups/cpu', 'No such file or directory'],
  ['/run', 'made'],
  ['/run/x', 'No such file or directory'],
  ['/proc/self', 'open'],
  ['/data/x', 'open'],
  // what a link leads to is looked for in the view, not on the host
  ['/usr/outside', 'No such file or directory'],
  ['/usr/inside', 'usr/lib'],
  ['/usr/own', 'made'],
  ['/usr/volume/y', 'open'],
  ['/usr/round', 'Too many levels of symbolic links'],
  [`/usr/${'a'.repeat(300)}`, 'File name too long'],
])('%s is %s', (path, expected) => {
  const found = followed(path, sandboxPlaces({ mounts, devices: [], network: null }, system));
  const shown = found === 'open' ? found : found instanceof Miss ? found.text : (found.host?.path ?? 'made');
  expect(shown.replace(`${host}/`, '')).toBe(expected);
});

test('a directory that may not be passed is only looked at', () => {
  const places = sandboxPlaces({ mounts, devices: [], network: null }, system);
  expect(followed('/usr/lib', places, () => false)).toEqual(new Miss('Permission denied'));
  expect(followed('/usr', places, () => false)).toMatchObject({ host: { path: join(host, 'usr') } });
});
