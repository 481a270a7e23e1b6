import { expect, test } from 'vitest';
import { parseBlock } from './address.ts';
import {
  defaultDenied,
  formatDestination,
  metadataAddresses,
  openedBy,
  parseDestination,
  parseEgressPolicy,
  probeTargets,
} from './egress-policy.ts';
import { fullRuleset } from './ruleset.ts';

const seen = { agent: '172.26.64.1', agentPort: 4646, neighbour: '172.26.64.9' };

test('the default denies metadata, agent, loopback and other allocations', () => {
  const { policy, problems } = parseEgressPolicy({ deny: defaultDenied, allow: [] });
  expect([...policy.denied]).toEqual(['metadata', 'agent', 'loopback', 'allocations']);
  expect(problems).toEqual([]);
  expect(openedBy(policy)).toEqual([]);
  expect(probeTargets(policy, seen)).toEqual(['169.254.169.254:80', '172.26.64.1:4646', '172.26.64.9:9']);
});

test('whoever is kept from metadata is kept from all of it, and from no name server', () => {
  const rules = (deny: readonly string[]): string => {
    const { policy } = parseEgressPolicy({ deny, allow: [] });
    return fullRuleset({ table: 't', subnet: parseBlock('172.26.64.0/20')!, policy, agentPorts: [], agents: [] }, []);
  };
  const setOf = (text: string, name: string): string => new RegExp(`set ${name} .*`).exec(text)?.[0] ?? '';
  for (const address of metadataAddresses) {
    expect(setOf(rules(defaultDenied), 'denied')).toMatch(new RegExp(`[ {]${address}[, ]`));
    expect(setOf(rules([]), 'denied')).not.toContain(address);
  }
  expect(setOf(rules(defaultDenied), 'denied_ports')).toContain('{ 168.63.129.16 . 80, 168.63.129.16 . 32526 }');
  expect(setOf(rules([]), 'denied_ports')).not.toContain('168.63.129.16');
});

test('names what an operator opened', () => {
  expect(openedBy(parseEgressPolicy({ deny: ['metadata', 'host'], allow: [] }).policy)).toEqual([
    'loopback',
    'allocations',
  ]);
  expect(openedBy(parseEgressPolicy({ deny: [], allow: [] }).policy)).toHaveLength(4);
});

test('does not try what is allowed after all', () => {
  const { policy } = parseEgressPolicy({
    deny: defaultDenied,
    allow: ['169.254.169.254', '172.26.64.1:4646', '172.26.64.9:10'],
  });
  expect(probeTargets(policy, seen)).toEqual(['172.26.64.9:9']);
});

test('says of every entry that is none what it should be', () => {
  const { problems } = parseEgressPolicy({ deny: ['metdata', '10.0.0.0/33', '10.1.1.1:0'], allow: ['host', '::1'] });
  expect(problems).toHaveLength(5);
  expect(problems[0]).toContain('egress_policy.deny "metdata" is not a name (metadata, agent, ');
  expect(problems[3]).toContain('egress_policy.allow "host" is not an IPv4 address or block');
});

test('reads blocks with and without a port', () => {
  expect(formatDestination(parseDestination('10.20.30.40/24')!)).toBe('10.20.30.0/24');
  expect(formatDestination(parseDestination('10.0.0.5:5432')!)).toBe('10.0.0.5/32 . 5432');
  for (const text of ['', '10.0.0', '10.0.0.256', '10.0.0.1/', '10.0.0.1:70000', '10.0.0.1:1:2'])
    expect(parseDestination(text)).toBeNull();
});
