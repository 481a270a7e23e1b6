import { expect, test } from 'vitest';
import { nameFiles } from './name-files.ts';

const network = { path: '/run/netns/a', egress: '', hosts: { hostname: 'pair', address: '172.26.64.2' } };

const none = { own: 'nameserver 10.0.0.1\n', upstream: '' };
const stub = {
  own: '# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\nsearch a.example\n',
  upstream: 'nameserver 10.0.0.53\nnameserver fd00::53\nsearch b.example\n',
};

test('a task with a network and a name of its own finds it, and its loopback', () => {
  expect(nameFiles({ network, dns: null }, none)).toEqual([
    {
      path: '/etc/hosts',
      text: '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n172.26.64.2 pair\n',
    },
  ]);
});

test('servers, searches and options of a dns block are all there is to ask', () => {
  const dns = { servers: ['10.0.0.53', '10.0.0.54'], searches: ['a.example', 'b.example'], options: ['ndots:2'] };
  expect(nameFiles({ network: null, dns }, none)).toEqual([
    {
      path: '/etc/resolv.conf',
      text: 'nameserver 10.0.0.53\nnameserver 10.0.0.54\nsearch a.example b.example\noptions ndots:2\n',
    },
  ]);
});

test("nothing is said where the host's network is kept", () => {
  expect(nameFiles({ network: null, dns: null }, stub)).toEqual([]);
  expect(nameFiles({ network: 'none', dns: null }, stub)).toEqual([]);
});

test("who asks a resolver on the host's loopback asks what that asks, in a network of its own", () => {
  const text = (resolvers: typeof stub) =>
    nameFiles({ network, dns: null }, resolvers).find(({ path }) => path === '/etc/resolv.conf')?.text;
  expect(text(stub)).toBe('nameserver 10.0.0.53\nnameserver fd00::53\noptions edns0\nsearch a.example\n');
  expect(text({ own: 'nameserver ::1\nnameserver 10.0.0.2\n', upstream: '' })).toBe('nameserver 10.0.0.2\n');
  expect(text({ own: 'nameserver 127.0.0.1\n', upstream: '' })).toMatch(/^# .*network \{ dns \{ servers \} \}\n$/);
  expect(text({ own: 'nameserver 10.127.0.1\n', upstream: '' })).toBeUndefined();
});
