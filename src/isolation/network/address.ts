/** IPv4 addresses and blocks as numbers. Pure. */

export interface Block {
  /** The first address, as a number. */
  readonly first: number;
  /** 0 … 32 */
  readonly bits: number;
}

/** `"172.26.64.0/20"`, or a single address; null: neither. Host bits are cleared. */
export function parseBlock(text: string): Block | null {
  const [address = '', bits = '32', rest] = text.split('/');
  const value = parseAddress(address);
  if (value === null || rest !== undefined || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return null;
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(value / size) * size, bits: Number(bits) };
}

export function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const parts = match.slice(1).map(Number);
  return parts.some((part) => part > 255) ? null : parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

export function formatBlock(block: Block): string {
  return `${formatAddress(block.first)}/${block.bits}`;
}

export function sizeOf(block: Block): number {
  return 2 ** (32 - block.bits);
}

export function overlaps(a: Block, b: Block): boolean {
  return a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a);
}

/** The block's own first and last address are nobody's, the second is the gateway's. */
export function gatewayOf(block: Block): string {
  return formatAddress(block.first + 1);
}

/**
 * An address that nobody has, the one after `after` first: what was given back is not given out again at once, as others' connection
 * tracking may still know it. Null: all are taken.
 */
export function freeAddress(block: Block, taken: ReadonlySet<string>, after: string | null): string | null {
  const usable = sizeOf(block) - 3;
  const last = after === null ? null : parseAddress(after);
  const start = last === null || !overlaps(block, { first: last, bits: 32 }) ? 0 : last - block.first - 1;
  for (let step = 0; step < usable; step++) {
    const address = formatAddress(block.first + 2 + ((((start + step) % usable) + usable) % usable));
    if (!taken.has(address)) return address;
  }
  return null;
}
