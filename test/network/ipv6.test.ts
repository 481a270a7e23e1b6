/**
 * There is no IPv6 in networks of allocations, neither for a task nor for whoever had all rights in one: not to the host, its metadata service, its
 * agent or another allocation. Control: the same connection gets through where rules and settings of the host's end are taken away.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { nodeReady } from '../e2e/jobs.ts';
import { groupsOf, wait } from './groups.ts';
import { greeter, inside, ownHost, run, setUpHost } from './own-host.ts';

const possible = ownHost && existsSync('/proc/net/if_inet6');
const host = 'fd09:9:8::7';
const metadata = 'fd00:ec2::254';
const gateway = 'fd99::1';

/** A perl program that connects to each `address port` once and prints `address port <greeting or errno>`. */
function attempt(targets: readonly string[]): string {
  const list = targets.map((each) => `"${each}"`).join(', ');
  return `use IO::Socket::IP; $| = 1; for my $t (${list}) { my ($a, $p) = split / /, $t; my $s = IO::Socket::IP->new(PeerHost => $a, PeerPort => $p, Timeout => 1); if (!$s) { print "$t refused: $@ $!\\n"; next } print $s "GET / HTTP/1.0\\r\\n\\r\\n"; my $l = <$s>; print "$t ", $l // "closed\\n"; } print "done\\n";`;
}

/** Not at once: the servers are this process's. */
async function tries(targets: readonly string[], ...within: readonly string[]): Promise<string> {
  const [program = '', ...args] = [...within, 'perl', '-e', attempt(targets)];
  return (await promisify(execFile)(program, args)).stdout;
}

describe.skipIf(!possible)('IPv6 in a network of its own', () => {
  let agent: AgentProcess;
  const servers: Server[] = [];
  const { logs, start, stop } = groupsOf(() => agent);

  beforeAll(async () => {
    setUpHost();
    run('ip', '-6', 'addr', 'add', `${host}/64`, 'dev', 'up0', 'nodad');
    run('ip', '-6', 'addr', 'add', `${metadata}/128`, 'dev', 'lo', 'nodad');
    servers.push(await greeter(host, 5557, 'host'), await greeter(metadata, 80, 'metadata'));
    agent = await startAgent({ config: { bind_addr: '::', api: { allow_remote_without_acl: true } } });
    await nodeReady(agent);
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await agent?.dispose();
    run('ip', '-6', 'addr', 'del', `${host}/64`, 'dev', 'up0');
    run('ip', '-6', 'addr', 'del', `${metadata}/128`, 'dev', 'lo');
  });

  it('(control) is served by the host to its own processes', async () => {
    const seen = await tries([`${host} 5557`, `${metadata} 80`, `${host} ${agent.port}`]);
    expect(seen).toContain(`${host} 5557 host`);
    expect(seen).toContain(`${metadata} 80 metadata`);
    expect(seen).toContain(`${host} ${agent.port} HTTP/1.`);
  });

  it('leads a task nowhere but to its own loopback', async () => {
    const targets = [`${host} 5557`, `${metadata} 80`, `${host} ${agent.port}`];
    const alloc = await start('six', 'bridge', { t: { script: `${attempt(targets)} ${wait}` } });
    const seen = await logs(alloc.id, 't', 'done');
    for (const target of targets) expect(seen).toContain(`${target} refused: `);
    const addresses = inside(alloc.id, 'ip', '-6', '-o', 'addr', 'show', 'scope', 'global');
    expect(addresses).toBe('');
    await stop('six');
  });

  it('leads nowhere for who has every right in the network, and gives it one; but for what keeps it, it would', async () => {
    const alloc = await start('six', 'bridge', { t: { script: wait } });
    const [link] = run('ip', '-o', 'link').match(/dv[0-9a-f]{13}/) ?? [];
    expect(readFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, 'utf8')).toBe('1\n');
    inside(alloc.id, 'sysctl', '-q', '-w', 'net.ipv6.conf.all.disable_ipv6=0', 'net.ipv6.conf.eth0.disable_ipv6=0');
    inside(alloc.id, 'ip', '-6', 'addr', 'add', 'fd99::2/64', 'dev', 'eth0', 'nodad');
    inside(alloc.id, 'ip', '-6', 'route', 'add', 'default', 'via', gateway, 'dev', 'eth0');
    const targets = [`${gateway} ${agent.port}`, `${host} 5557`, `${metadata} 80`];
    const tried = (): Promise<string> => tries(targets, 'ip', 'netns', 'exec', alloc.id);
    const through = (text: string): readonly string[] =>
      text.split('\n').filter((line) => line !== '' && !/refused|^done/.test(line));
    expect(through(await tried())).toEqual([]);
    // the host's end speaks IPv6 now: the rules alone keep it
    const speaks = (): void => {
      run('sysctl', '-q', '-w', `net.ipv6.conf.${link}.disable_ipv6=0`);
      run('ip', '-6', 'addr', 'replace', `${gateway}/64`, 'dev', link!, 'nodad');
    };
    speaks();
    expect(through(await tried())).toEqual([]);
    const [, table] = /table inet (drover_\w+)/.exec(run('nft', 'list', 'tables')) ?? [];
    // the agent mends its rules every few seconds
    await eventually(async () => {
      run('sh', '-c', `nft delete table inet ${table} 2>/dev/null || :`);
      speaks();
      const seen = through(await tried());
      expect(seen).toContain(`${host} 5557 host`);
      expect(seen).toContain(`${metadata} 80 metadata`);
      expect(seen.find((line) => line.startsWith(`${gateway} ${agent.port} `))).toContain('HTTP/1.');
    }, 90_000);
    await stop('six');
  });
});
