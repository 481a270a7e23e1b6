import { expect, it } from 'vitest';
import { rktAdvice, rktToPodman } from './rkt-to-podman.ts';

it('each option of rkt is translated, named as not translatable, or said to have no effect', () => {
  expect(
    rktToPodman({
      image: 'docker://redis:3.2',
      command: '/usr/local/bin/redis-server',
      args: ['--port', '6379'],
      trust_prefix: 'coreos.com/etcd',
      insecure_options: ['image'],
      dns_servers: ['8.8.8.8'],
      dns_search_domains: ['example.com'],
      net: ['default'],
      port_map: [{ db: '6379-tcp' }],
      volumes: ['/srv:/data:ro'],
      no_overlay: true,
      debug: true,
    }),
  ).toEqual({
    config: {
      image: 'redis:3.2',
      entrypoint: ['/usr/local/bin/redis-server'],
      args: ['--port', '6379'],
      network_mode: 'bridge',
      port_map: { db: 6379 },
      volumes: ['/srv:/data:ro'],
    },
    dns: { servers: ['8.8.8.8'], searches: ['example.com'] },
    problems: [],
    left: ['trust_prefix', 'insecure_options', 'no_overlay', 'debug'],
  });
  const { problems } = rktToPodman({ image: '/a.aci', group: '100', net: ['a', 'b'], port_map: { web: 'www' } });
  expect(problems.join('\n')).toMatch(/port_map web = "www"[\s\S]*own format[\s\S]*2 networks[\s\S]*group/);
});

it('the advice is what to write in the job file', () => {
  expect(
    rktAdvice({ image: 'docker://redis:3.2', args: ['a'], port_map: { db: '6379' }, dns_servers: ['8.8.8.8'] }),
  ).toContain(
    `driver = "podman"
config {
  image = "redis:3.2"
  args = ["a"]
  port_map = { db = 6379 }
}

and in the network block of the group:
dns {
  servers = ["8.8.8.8"]
}`,
  );
});
