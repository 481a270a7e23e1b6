/** A network: its first address as a number, bits of an address (32 or 128), bits of the prefix. */
export interface Network {
  readonly base: bigint;
  readonly bits: number;
  readonly length: number;
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = (address << 8n) | BigInt(part);
  }
  return address;
}

function parseIpv6(text: string): bigint | undefined {
  let source = text;
  const dot = text.lastIndexOf(':');
  if (text.includes('.')) {
    const tail = parseIpv4(text.slice(dot + 1));
    if (tail === undefined) return undefined;
    source = `${text.slice(0, dot + 1)}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[] | undefined];
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n);
}

/** `10.1.2.3/8` or `fd00::/64`, its host bits cleared; nothing for any other text. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const lengthText = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const source = text.slice(0, slash);
  const bits = source.includes(':') ? 128 : 32;
  const address = bits === 128 ? parseIpv6(source) : parseIpv4(source);
  const length = Number(lengthText);
  if (address === undefined || length > bits) return undefined;
  const host = BigInt(bits - length);
  return { base: (address >> host) << host, bits, length };
}

/** An address in its usual form: the longest run of zero groups of IPv6 as `::`. */
export function addressText(address: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => Number((address >> BigInt(112 - i * 16)) & 0xffffn));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > bestLength) {
      best = i;
      bestLength = end - i;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}

export const networkText = (network: Network): string => `${addressText(network.base, network.bits)}/${network.length}`;
