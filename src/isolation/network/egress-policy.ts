/** Where tasks with a network of their own may not connect to: data, from the client's configuration. Pure. */
import { type Block, formatBlock, overlaps, parseBlock } from './address.ts';

/** Names an operator may deny, and what they stand for. */
export const namedDestinations = {
  metadata: 'the metadata services of clouds',
  agent: 'the ports of this agent, and of the servers it knows by address',
  loopback: "the host's loopback addresses",
  allocations: 'other allocations, except for ports they publish',
  host: 'every address of the host, except for published ports',
} as const;
export type NamedDestination = keyof typeof namedDestinations;

/** What is denied where the operator says nothing. */
export const defaultDenied: readonly NamedDestination[] = ['metadata', 'agent', 'loopback', 'allocations'];

/** Link-local and shared addresses by which clouds give credentials to whoever asks. Source: the providers' documentation. */
export const metadataAddresses = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '169.254.42.42',
  '169.254.0.23',
  '100.100.100.200',
  '192.0.0.192',
] as const;

/** Of an address that answers questions about names too: where a cloud's agent fetches the machine's secrets. For nft. */
export const metadataPorts = ['168.63.129.16 . 80', '168.63.129.16 . 32526'] as const;

export interface Destination {
  readonly block: Block;
  /** 0: every port. */
  readonly port: number;
}

export interface EgressPolicy {
  readonly denied: ReadonlySet<NamedDestination>;
  readonly deniedBlocks: readonly Destination[];
  /** Wins over what is denied. */
  readonly allowedBlocks: readonly Destination[];
}

export interface EgressSettings {
  readonly deny: readonly string[];
  readonly allow: readonly string[];
}

/** Problems are clauses, all at once. */
export function parseEgressPolicy(settings: EgressSettings): { policy: EgressPolicy; problems: readonly string[] } {
  const problems: string[] = [];
  const denied = new Set<NamedDestination>();
  const blocks = { deny: [] as Destination[], allow: [] as Destination[] };
  for (const text of settings.deny) {
    if (isNamed(text)) denied.add(text);
    else add('deny', text, `a name (${Object.keys(namedDestinations).join(', ')}), an IPv4 address or block`);
  }
  for (const text of settings.allow) add('allow', text, 'an IPv4 address or block');
  return { policy: { denied, deniedBlocks: blocks.deny, allowedBlocks: blocks.allow }, problems };

  function add(list: 'deny' | 'allow', text: string, wanted: string): void {
    const destination = parseDestination(text);
    if (destination !== null) blocks[list].push(destination);
    else problems.push(`egress_policy.${list} "${text}" is not ${wanted}, with ":port" where one port is meant`);
  }
}

/** Names of the default that this policy leaves open. */
export function openedBy(policy: EgressPolicy): readonly NamedDestination[] {
  const covered = (name: NamedDestination): boolean =>
    policy.denied.has(name) || (name === 'agent' && policy.denied.has('host'));
  return defaultDenied.filter((name) => !covered(name));
}

/**
 * One address for each denied name that a check from inside tries, without those that the policy allows after all. `outside`: of the same
 * agent, as seen from inside.
 */
export function probeTargets(
  policy: EgressPolicy,
  outside: { readonly agent: string; readonly agentPort: number; readonly neighbour: string },
): readonly string[] {
  const wanted: readonly (readonly [NamedDestination, string, number])[] = [
    ['metadata', metadataAddresses[0], 80],
    ['agent', outside.agent, outside.agentPort],
    ['allocations', outside.neighbour, 9],
  ];
  const allowed = (address: string, port: number): boolean =>
    policy.allowedBlocks.some(
      (each) => (each.port === 0 || each.port === port) && overlaps(each.block, parseBlock(address)!),
    );
  return wanted
    .filter(([name, address, port]) => policy.denied.has(name) && port > 0 && !allowed(address, port))
    .map(([, address, port]) => `${address}:${port}`);
}

/** `"10.0.0.0/8"`, `"10.0.0.5:5432"` */
export function parseDestination(text: string): Destination | null {
  const [address = '', port, rest] = text.split(':');
  const block = parseBlock(address);
  if (block === null || rest !== undefined) return null;
  if (port === undefined) return { block, port: 0 };
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  return number < 1 || number > 65_535 ? null : { block, port: number };
}

/** For nft: `10.0.0.0/8` and, where one port is meant, `. 5432`. */
export function formatDestination({ block, port }: Destination): string {
  return port === 0 ? formatBlock(block) : `${formatBlock(block)} . ${port}`;
}

function isNamed(text: string): text is NamedDestination {
  return Object.hasOwn(namedDestinations, text);
}
