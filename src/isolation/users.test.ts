import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findUser, inRanges, parseIdRanges } from './users.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\nbroken:x:abc:1:::\n# comment\n',
  group: 'root:x:0:\nweb:x:1000:\ndocker:x:998:web,other\nadm:x:4:web\n',
};

test('a user has its gid and exactly its groups', () => {
  expect(findUser(files, 'web')).toEqual({
    name: 'web',
    uid: 1000,
    gid: 1000,
    groups: [1000, 998, 4],
    home: '/home/web',
  });
  expect(findUser(files, '1000')).toMatchObject({ name: 'web', groups: [1000, 998, 4] });
  expect(findUser(files, 'root').groups).toEqual([0]);
  expect(findUser(files, 'web:docker')).toMatchObject({ uid: 1000, gid: 998 });
});

test('a number nobody has stands for itself, without group 0', () => {
  expect(findUser(files, '4242')).toEqual({ name: '4242', uid: 4242, gid: 4242, groups: [4242], home: '/' });
});

test('unknown names, broken rows and ids the kernel takes for none are refused', () => {
  for (const name of ['nobody-here', 'broken', '', '4294967295', '-1', 'web:nogroup']) {
    expect(() => findUser(files, name), name).toThrow(/unknown/);
  }
});

test('ranges hold what they name', () => {
  const ranges = parseIdRanges('0, 10-20,1000');
  expect([0, 1, 9, 10, 15, 20, 21, 1000].map((id) => inRanges(ranges, id))).toEqual([
    true,
    false,
    false,
    true,
    true,
    true,
    false,
    true,
  ]);
  for (const wrong of ['a', '20-10', '1-', '-']) expect(() => parseIdRanges(wrong), wrong).toThrow(/no range/);
  expect(parseIdRanges('')).toEqual([]);
});

test('files of any content are read without a throw of another kind', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (passwd, group, name) => {
      try {
        findUser({ passwd, group }, name);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'invalid' });
      }
    }),
  );
});
