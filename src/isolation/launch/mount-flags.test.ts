import { expect, test } from 'vitest';
import { lockedFlags } from './mount-flags.ts';

const mountinfo = [
  '21 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '22 21 0:5 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw',
  '23 21 0:9 / /srv/a\\040b ro,noatime - tmpfs tmpfs rw',
  '24 23 0:9 / /srv/a\\040b rw,nosuid - tmpfs tmpfs rw',
].join('\n');

test('a bind repeats the flags of the mount its source is on', () => {
  expect(lockedFlags(mountinfo)('/sys/class/net')).toEqual(['nosuid', 'nodev', 'noexec']);
  expect(lockedFlags(mountinfo)('/system')).toEqual([]);
});

test('the last mount of a place is the one that counts, spaces in its name or not', () => {
  expect(lockedFlags(mountinfo)('/srv/a b/c')).toEqual(['nosuid']);
});
