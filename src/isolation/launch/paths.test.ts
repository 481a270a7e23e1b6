import { expect, it } from 'vitest';
import type { LaunchRequest } from './launch.ts';
import { allowedPaths } from './paths.ts';

const request = {
  directories: { task: '/d/a/t', shared: '/d/a/alloc' },
  mounts: [
    { hostPath: '/v', taskPath: '/v', readOnly: false, propagation: 'private' },
    { hostPath: '/r', taskPath: '/r', readOnly: true, propagation: 'private' },
  ],
  devices: [{ hostPath: '/dev/fuse', taskPath: '/dev/fuse', permissions: 'rw' }],
  network: null,
} as unknown as LaunchRequest;

it('a task writes its own directories and volumes, and reads what of the system a sandbox shows', () => {
  const system = [
    { from: '/usr', to: '/usr' },
    { from: '/sys', to: '/sys' },
    { from: '/sys/fs/cgroup', to: '/sys/fs/cgroup', empty: 'always' as const },
  ];
  const allowed = allowedPaths(request, system, '/verify') ?? [];
  const of = (access: string) => allowed.filter((each) => each.access === access).map(({ path }) => path);
  expect(of('all')).toEqual(['/dev/shm', '/d/a/t', '/d/a/alloc', '/v']);
  expect(of('read')).toEqual(['/usr', '/sys', '/verify', '/r']);
  expect(of('use')).toEqual(['/proc', '/dev', '/dev/fuse']);
});

it('a task whose operator shows it the whole host is not held to a list', () => {
  expect(allowedPaths(request, [{ from: '/', to: '/host' }], '/verify')).toBeNull();
});
