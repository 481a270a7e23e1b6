import { expect, it } from 'vitest';
import { diskRemedy, kernelKeepsQuotas, wholeMount } from './disk-remedy.ts';

const off = { evidence: "tasks' directories: quotas of projects are not switched on" };
const mountinfo = `21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 21 254:16 /data/alloc /srv/alloc rw,relatime shared:2 - xfs /dev/vdb rw
41 21 254:16 / /srv rw,relatime shared:2 - xfs /dev/vdb rw,attr2`;

it('the whole of a file system is found, not a directory of it that is mounted elsewhere', () => {
  expect(wholeMount(mountinfo, '254:16')).toEqual({ type: 'xfs', device: '/dev/vdb', mountPoint: '/srv' });
  expect(wholeMount(mountinfo, '9:9')).toBeNull();
});

it('a kernel that was built without them is told, and one of which nothing is known is given the benefit', () => {
  expect(kernelKeepsQuotas('ext4', 'CONFIG_QUOTA=y\n# CONFIG_QFMT_V2 is not set\n', '')).toBe(false);
  expect(kernelKeepsQuotas('ext4', 'CONFIG_QFMT_V2=m\n', '')).toBe(true);
  expect(kernelKeepsQuotas('xfs', '# CONFIG_XFS_QUOTA is not set\n', '')).toBe(false);
  expect(kernelKeepsQuotas('ext4', '', 'kernel/fs/ext4/ext4.ko:\n')).toBe(false);
  expect(kernelKeepsQuotas('ext4', '', '')).toBe(true);
});

it('each file system is led its own way', () => {
  const facts = { type: 'ext4', device: '/dev/vdb', mountPoint: '/srv', inKernel: true };
  expect(diskRemedy(off, facts, 0)).toBe(
    'umount /srv && tune2fs -O project -Q prjquota /dev/vdb && mount -o prjquota /dev/vdb /srv',
  );
  expect(diskRemedy(off, { ...facts, type: 'xfs' }, 0)).toBe('umount /srv && mount -o prjquota /dev/vdb /srv');
  expect(diskRemedy(off, { ...facts, mountPoint: '/' }, 0)).toMatch(/rootflags=prjquota/);
  expect(diskRemedy(off, { ...facts, inKernel: false }, 0)).toBe('a kernel with CONFIG_QUOTA and CONFIG_QFMT_V2');
  expect(diskRemedy(off, { ...facts, type: 'tmpfs' }, 0)).toMatch(/mkfs\.ext4 -O quota,project/);
  expect(diskRemedy(off, null, 0)).toMatch(/-data-dir/);
  expect(diskRemedy(off, facts, 1000)).toBe('run the agent as root');
});
