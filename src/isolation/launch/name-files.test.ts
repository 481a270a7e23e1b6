import { expect, test } from 'vitest';
import { nameFiles } from './name-files.ts';

const network = { path: '/run/netns/a', egress: '', hosts: { hostname: 'pair', address: '172.26.64.2' } };

test('a task with a network and a name of its own finds it, and its loopback', () => {
  expect(nameFiles({ network, dns: null })).toEqual([
    {
      path: '/etc/hosts',
      text: '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n172.26.64.2 pair\n',
    },
  ]);
});

test('servers, searches and options of a dns block are all there is to ask', () => {
  const dns = { servers: ['10.0.0.53', '10.0.0.54'], searches: ['a.example', 'b.example'], options: ['ndots:2'] };
  expect(nameFiles({ network: null, dns })).toEqual([
    {
      path: '/etc/resolv.conf',
      text: 'nameserver 10.0.0.53\nnameserver 10.0.0.54\nsearch a.example b.example\noptions ndots:2\n',
    },
  ]);
});

test("nothing is said where the host's network is kept", () => {
  expect(nameFiles({ network: null, dns: null })).toEqual([]);
  expect(nameFiles({ network: 'none', dns: null })).toEqual([]);
});
