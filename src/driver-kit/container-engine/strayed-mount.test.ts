import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { strayedMount, whereIs } from './strayed-mount.ts';

const allocation = { device: '8:1', path: '/srv/alloc/a' };
const source = { target: '/x/', place: { device: '8:1', path: '/srv/alloc/a/alloc/my data' } };
const row = (path: string, target: string, device = '8:1') =>
  `51 40 ${device} ${path} ${target} rw,relatime - ext4 /dev/sda1 rw`;

test('a mount that is what was looked at, or something else of the allocation, has not strayed', () => {
  expect(strayedMount(row('/srv/alloc/a/alloc/my\\040data', '/x'), [source], allocation)).toBe(null);
  expect(strayedMount(row('/srv/alloc/a/other', '/x'), [source], allocation)).toBe(null);
  // below a link of the image
  expect(strayedMount(row('/srv/alloc/a/alloc/my\\040data', '/run/x'), [source], allocation)).toBe(null);
});

test('one of elsewhere has, the last at its place counts, and so does one that is not there', () => {
  expect(strayedMount(row('/etc', '/x'), [source], allocation)).toBe('/x/');
  expect(strayedMount(row('/srv/alloc/ab', '/x'), [source], allocation)).toBe('/x/');
  expect(strayedMount(row('/srv/alloc/a/alloc', '/x', '8:2'), [source], allocation)).toBe('/x/');
  const twice = `${row('/srv/alloc/a/alloc/my\\040data', '/x')}\n${row('/etc', '/x')}`;
  expect(strayedMount(twice, [source], allocation)).toBe('/x/');
  expect(strayedMount(row('/etc', '/etc'), [source], allocation)).toBe('/x/');
});

test('nothing is said of what cannot be seen', () => {
  expect(strayedMount('', [source], allocation)).toBe(null);
});

test.skipIf(process.platform !== 'linux')('a directory of this host has a place', async () => {
  const directory = openSync('/proc/self/ns', 'r');
  const place = await whereIs(directory).finally(() => closeSync(directory));
  expect(place).toMatchObject({ device: expect.stringMatching(/^\d+:\d+$/), path: `/${process.pid}/ns` });
});
