/**
 * The host's rules as one text: a pure function of the policy and the leases, so that they can be put back whenever somebody took them away.
 *
 *   table inet drover_<agent>
 *     interfaces  the host's ends of this agent's allocations
 *     anywhere, at   published ports → where they lead
 *     turning     address . address of each allocation, for those that call their own published port
 */
import { type Block, formatBlock } from './address.ts';
import { type EgressPolicy, formatDestination, metadataAddresses, metadataPorts } from './egress-policy.ts';
import type { NetworkLease } from './lease.ts';

export interface RulesetInput {
  readonly table: string;
  readonly subnet: Block;
  readonly policy: EgressPolicy;
  /** Of this agent's API. */
  readonly agentPorts: readonly number[];
  /** Servers elsewhere: `10.0.0.1 . 4646`. */
  readonly agents: readonly string[];
}

/** Every interface of every agent's allocations is of this group, so that agents deny each other's too ("drov"). */
export const interfaceGroup = 0x64726f76;

/** The whole table, replacing what is there in one step. */
export function fullRuleset(input: RulesetInput, leases: readonly NetworkLease[]): string {
  const { table } = input;
  return [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...sets(input, leases),
    ...chains(input),
    '}',
    '',
  ].join('\n');
}

/** One allocation more. Once more the same changes nothing. */
export function addedRules(table: string, lease: NetworkLease): string {
  return elementLines('add', table, lease).join('\n') + '\n';
}

/** One allocation less, also where it is not there. */
export function removedRules(table: string, lease: NetworkLease): string {
  return [...elementLines('add', table, lease), ...elementLines('delete', table, lease)].join('\n') + '\n';
}

function elementLines(verb: 'add' | 'delete', table: string, lease: NetworkLease): readonly string[] {
  return setNames.flatMap((set) => {
    const elements = elementsOf(lease, set);
    const list = verb === 'add' ? elements : elements.map((each) => each.replace(/ : .*/, ''));
    return list.length === 0 ? [] : [`${verb} element inet ${table} ${set} { ${list.join(', ')} }`];
  });
}

/** What `nft -s list table` says but for what hangs on the leases: the same for as long as nobody touches the policy. */
export function policyIn(listing: string): string {
  const blocks = listing.split(/\n(?=\t(?:set|map|chain) )/);
  return blocks
    .filter((block) => !setNames.some((name) => /^\t(?:set|map) (\S+)/.exec(block)?.[1] === name))
    .join('\n');
}

const setNames = ['interfaces', 'turning', 'anywhere', 'at'] as const;
type SetName = (typeof setNames)[number];

function elementsOf(lease: NetworkLease, set: SetName): readonly string[] {
  const both = (key: string, port: number, to: number): readonly string[] =>
    ['tcp', 'udp'].map((protocol) => `${key}${protocol} . ${port} : ${lease.address} . ${to}`);
  if (lease.kind !== 'veth') return [];
  switch (set) {
    case 'interfaces':
      return [`"${lease.interfaceName}"`];
    case 'turning':
      return [`${lease.address} . ${lease.address}`];
    case 'anywhere':
      return lease.ports.filter(({ hostIp }) => hostIp === '').flatMap(({ port, to }) => both('', port, to));
    case 'at':
      return lease.ports
        .filter(({ hostIp }) => hostIp !== '')
        .flatMap(({ hostIp, port, to }) => both(`${hostIp} . `, port, to));
  }
}

function sets(input: RulesetInput, leases: readonly NetworkLease[]): readonly string[] {
  const of = (set: SetName): readonly string[] => leases.flatMap((lease) => elementsOf(lease, set));
  return [
    setText('set interfaces', 'ifname', '', of('interfaces')),
    setText('set turning', 'ipv4_addr . ipv4_addr', '', of('turning')),
    setText('map anywhere', 'inet_proto . inet_service : ipv4_addr . inet_service', '', of('anywhere')),
    setText('map at', 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service', '', of('at')),
    ...policySets(input),
  ];
}

function policySets(input: Pick<RulesetInput, 'policy' | 'agents'>): readonly string[] {
  const { policy } = input;
  const named = policy.denied.has('metadata') ? metadataAddresses : [];
  const whole = [...named, ...policy.deniedBlocks.filter(({ port }) => port === 0).map(formatDestination)];
  const single = [
    ...(policy.denied.has('metadata') ? metadataPorts : []),
    ...(policy.denied.has('agent') ? input.agents : []),
    ...policy.deniedBlocks.filter(({ port }) => port !== 0).map(formatDestination),
  ];
  const allowed = (one: boolean): readonly string[] =>
    policy.allowedBlocks.filter(({ port }) => (port === 0) === !one).map(formatDestination);
  return [
    setText('set denied', 'ipv4_addr', 'flags interval; auto-merge;', whole),
    setText('set denied_ports', 'ipv4_addr . inet_service', 'flags interval;', single),
    setText('set allowed', 'ipv4_addr', 'flags interval; auto-merge;', allowed(false)),
    setText('set allowed_ports', 'ipv4_addr . inet_service', 'flags interval;', allowed(true)),
  ];
}

function setText(head: string, type: string, flags: string, elements: readonly string[]): string {
  const content = elements.length === 0 ? '' : ` elements = { ${[...new Set(elements)].join(', ')} }`;
  return `  ${head} { type ${type}; ${flags}${content} }`;
}

/** Answers that say so: whoever connects learns at once that it may not, instead of waiting. */
const refuse = 'counter reject with icmpx admin-prohibited';

function chains({ policy, subnet, agentPorts }: RulesetInput): readonly string[] {
  const net = formatBlock(subnet);
  const has = (name: Parameters<typeof policy.denied.has>[0]): boolean => policy.denied.has(name);
  const chain = (name: string, type: string, rules: readonly string[]): string =>
    `  chain ${name} {\n${[...(type === '' ? [] : [`type ${type}; policy accept;`]), ...rules].map((rule) => `    ${rule}`).join('\n')}\n  }`;
  const publish = [
    'fib daddr type local dnat ip to meta l4proto . th dport map @anywhere',
    'dnat ip to ip daddr . meta l4proto . th dport map @at',
  ];
  return [
    // before connections are tracked: what claims to be from elsewhere, or is meant for loopback, has no business here
    chain('arriving', 'filter hook prerouting priority -300', [
      `iifname @interfaces meta nfproto ipv6 counter drop`,
      `iifname @interfaces ip saddr != ${net} counter drop`,
      ...(has('loopback') ? ['iifname @interfaces ip daddr 127.0.0.0/8 counter drop'] : []),
    ]),
    chain('publish', 'nat hook prerouting priority -100', publish),
    chain('publish_here', 'nat hook output priority -100', publish),
    chain('leaving', 'nat hook postrouting priority 100', [
      'ip saddr 127.0.0.0/8 oifname @interfaces masquerade',
      'ip saddr . ip daddr @turning masquerade',
      `ip saddr ${net} oifgroup != ${interfaceGroup} masquerade`,
    ]),
    chain('egress', '', [
      'ct state established,related accept',
      'ip daddr @allowed accept',
      'meta l4proto { tcp, udp } ip daddr . th dport @allowed_ports accept',
      // a published port was meant to be reached
      'ct status dnat accept',
      `ip daddr @denied ${refuse}`,
      `meta l4proto { tcp, udp } ip daddr . th dport @denied_ports ${refuse}`,
      ...(has('agent') && agentPorts.length > 0
        ? [`fib daddr type local tcp dport { ${agentPorts.join(', ')} } ${refuse}`]
        : []),
      // what is sent to everyone arrives at every address of the host
      ...(has('host') ? [`fib daddr type { local, broadcast, multicast } ${refuse}`] : []),
    ]),
    chain('forward', 'filter hook forward priority 0', [
      'iifname @interfaces jump egress',
      ...(has('allocations')
        ? [`iifname @interfaces ip daddr ${net} ${refuse}`, `iifname @interfaces oifgroup ${interfaceGroup} ${refuse}`]
        : []),
      'iifname @interfaces accept',
      'oifname @interfaces ct state established,related accept',
      'oifname @interfaces ct status dnat accept',
      // neighbours of the host have no way in but by published ports; other allocations' own rules said already what they may
      `oifname @interfaces iifgroup != ${interfaceGroup} counter drop`,
    ]),
    chain('input', 'filter hook input priority 0', ['iifname @interfaces jump egress']),
  ];
}

export interface UserRulesetInput extends Pick<RulesetInput, 'policy' | 'agents' | 'agentPorts' | 'subnet'> {
  /** Addresses of the host that are not loopback. */
  readonly hostAddresses: readonly string[];
  /** Inside, what stands for the host's loopback. */
  readonly gateway: string;
  /** Inside, what asks the host's name servers. */
  readonly nameServer: string;
}

/** The rules of a user's own namespace, which its tasks have no right to change: of what goes out, as nothing of the host's can be ruled. */
export function userRuleset(input: UserRulesetInput): string {
  const { policy, agentPorts, subnet, hostAddresses, gateway, nameServer } = input;
  const has = (name: Parameters<typeof policy.denied.has>[0]): boolean => policy.denied.has(name);
  const rules = [
    'type filter hook output priority 0; policy accept;',
    'oifname "lo" accept',
    'meta nfproto ipv6 counter drop',
    'ct state established,related accept',
    'ip daddr @allowed accept',
    'meta l4proto { tcp, udp } ip daddr . th dport @allowed_ports accept',
    `meta l4proto { tcp, udp } ip daddr ${nameServer} th dport 53 accept`,
    `ip daddr @denied ${refuse}`,
    `meta l4proto { tcp, udp } ip daddr . th dport @denied_ports ${refuse}`,
    ...(has('agent') && agentPorts.length > 0
      ? [
          `ip daddr @host tcp dport { ${agentPorts.join(', ')} } ${refuse}`,
          `ip daddr ${gateway} tcp dport { ${agentPorts.join(', ')} } ${refuse}`,
        ]
      : []),
    ...(has('host') ? [`ip daddr @host ${refuse}`] : []),
    ...(has('loopback') || has('host') ? [`ip daddr ${gateway} ${refuse}`] : [`ip daddr ${gateway} accept`]),
    ...(has('allocations') ? [`ip daddr ${formatBlock(subnet)} ${refuse}`] : []),
  ];
  return [
    'add table inet drover',
    'delete table inet drover',
    'table inet drover {',
    ...policySets(input),
    setText('set host', 'ipv4_addr', '', hostAddresses),
    `  chain leaving {\n${rules.map((rule) => `    ${rule}`).join('\n')}\n  }`,
    '}',
    '',
  ].join('\n');
}
