/** What a held process shows, and what is concluded: each case takes away one thing from one that has them all. */
import { describe, expect, it } from 'vitest';
import { type CheckRequest, checkFromHost, type HeldProcess } from './host-checks.ts';
import { maskedProc } from './masked-proc.ts';

const uid = 1_900_000_007;
const mounts = [
  '1 0 254:0 /srv/alloc/a1/t / rw,nosuid,nodev - ext4 /dev/vda rw',
  '2 1 254:0 /usr /usr ro,nosuid,nodev - ext4 /dev/vda rw',
  '3 1 0:5 / /proc rw,nosuid,nodev,noexec - proc proc rw',
  ...maskedProc.map((path, index) => `${4 + index} 3 0:6 /null ${path} ro,nosuid - devtmpfs dev rw`),
  '20 3 0:5 /sys /proc/sys ro,nosuid,nodev,noexec - proc proc rw',
  '21 1 254:0 /srv/vol /my\\040data rw,nosuid,nodev - ext4 /dev/vda rw',
];
const kinds = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'];
const whole: HeldProcess = {
  status: new Map([
    ['Uid', `${uid}\t${uid}\t${uid}\t${uid}`],
    ['Gid', `${uid}\t${uid}\t${uid}\t${uid}`],
    ['Groups', `${uid} `],
    ['NSpid', '4711\t1'],
  ]),
  session: 4711,
  ownSession: 1,
  openDescriptors: [],
  namespaces: new Map(kinds.map((kind) => [kind, `${kind}:[2]`])),
  ownNamespaces: new Map(kinds.map((kind) => [kind, `${kind}:[1]`])),
  ownUid: 0,
  limits: '',
  mounts: mounts.join('\n'),
};
const asked: CheckRequest = {
  pid: 4711,
  cgroup: null,
  limits: null,
  killUnit: 'session',
  capabilities: [],
  writable: ['/', '/proc', '/my data'],
  volumes: ['/my data'],
  notAsked: [],
  network: null,
  disk: '/srv/alloc/a1',
  taskUids: { first: 1_900_000_000, last: 1_900_065_534 },
  findings: new Map(),
  devices: null,
  now: '2026-01-01T00:00:00Z',
};

const line = (name: string, held: HeldProcess, request: Partial<CheckRequest> = {}) =>
  checkFromHost({ ...asked, ...request }, held).find((each) => each.name === name);
const withStatus = (name: string, value: string, more: Partial<HeldProcess> = {}): HeldProcess => ({
  ...whole,
  ...more,
  status: new Map([...whole.status, [name, value]]),
});
const withMount = (from: RegExp, to: string): HeldProcess => ({
  ...whole,
  mounts: mounts.map((row) => row.replace(from, to)).join('\n'),
});

describe('a held task', () => {
  it.each(['kill_unit', 'not_root', 'unique_uid', 'read_only_system', 'masked_proc'])(
    '(control) has %s where nothing is taken away, and a volume whose name has a blank',
    (name) => expect(line(name, whole)).toMatchObject({ state: 'verified' }),
  );

  it.each([
    ['a saved uid of root', 'Uid', `${uid}\t${uid}\t0\t${uid}`],
    ['the group of root', 'Gid', '0\t0\t0\t0'],
    ['the group of root beside its own', 'Groups', `0 ${uid}`],
  ])('is root with %s', (_, name, value) => {
    expect(line('not_root', withStatus(name, value))).toMatchObject({ state: 'unavailable' });
    expect(line('unique_uid', withStatus(name, value))).toMatchObject({ state: 'unavailable' });
  });

  it('is not the only one of its ids where it is in a group of the host’s', () => {
    const held = withStatus('Groups', `998 ${uid}`);
    expect(line('unique_uid', held)).toMatchObject({ state: 'unavailable', evidence: `uid ${uid}, but group 998` });
    expect(line('not_root', held)).toMatchObject({ state: 'verified' });
  });

  it('has the groups that it has where the agent cannot choose them', () => {
    const held = withStatus('Groups', '0 998', { ownUid: uid });
    expect(line('not_root', held, { taskUids: null })).toMatchObject({ state: 'verified' });
  });

  it('ends with a pid namespace only where it is in one', () => {
    const request = { killUnit: 'pid-namespace' } as const;
    expect(line('kill_unit', whole, request)).toMatchObject({ state: 'verified' });
    const outside = { ...whole, namespaces: new Map([...whole.namespaces, ['pid', 'pid:[1]']]) };
    expect(line('kill_unit', outside, request)).toMatchObject({ state: 'unavailable' });
  });

  it.each([
    ['a root that is not its directory', /\/srv\/alloc\/a1\/t/, '/srv/alloc/a2/t', 'read_only_system'],
    ['a system that it may write', /\/usr ro/, '/usr rw', 'read_only_system'],
    ['/proc/sys to write', /\/proc\/sys ro/, '/proc/sys rw', 'masked_proc'],
    ['a file of /proc over itself', /\/null \/proc\/keys/, '/keys /proc/keys', 'masked_proc'],
  ])('has not what it should with %s', (_, from, to, name) => {
    expect(line(name, withMount(from, to))).toMatchObject({ state: 'unavailable' });
  });
});
