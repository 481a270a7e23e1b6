import { expect, it } from 'vitest';
import { readMounts } from './mount-table.ts';

it('a row is read whole: with and without fields that may be there, and with blanks in its paths', () => {
  const rows = `40 21 254:16 /data\\040of/a /srv/my\\040data\\134x rw,relatime shared:2 master:1 - xfs /dev/disk\\040b rw,attr2
41 40 0:9 / /srv/my\\040data\\134x/in ro - tmpfs none rw

`;
  expect(readMounts(rows)).toEqual([
    {
      id: '40',
      parent: '21',
      device: '254:16',
      root: '/data of/a',
      point: '/srv/my data\\x',
      options: ['rw', 'relatime'],
      type: 'xfs',
      source: '/dev/disk b',
      superOptions: 'rw,attr2',
    },
    expect.objectContaining({
      id: '41',
      point: '/srv/my data\\x/in',
      options: ['ro'],
      type: 'tmpfs',
      superOptions: 'rw',
    }),
  ]);
});
