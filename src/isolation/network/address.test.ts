import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAddress, formatBlock, freeAddress, gatewayOf, overlaps, parseAddress, parseBlock } from './address.ts';

const block = parseBlock('172.26.64.0/29')!;

test('an address is what its text says', () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), (value) => parseAddress(formatAddress(value)) === value));
});

test('a block begins at its first address, whichever of its addresses names it', () => {
  expect(formatBlock(parseBlock('172.26.79.255/20')!)).toBe('172.26.64.0/20');
  expect(formatBlock(parseBlock('10.1.2.3')!)).toBe('10.1.2.3/32');
  expect(parseBlock('10.0.0.0/8/8')).toBeNull();
});

test('blocks overlap where one holds the other', () => {
  const within = (a: string, b: string): boolean => overlaps(parseBlock(a)!, parseBlock(b)!);
  expect(within('10.0.0.0/8', '10.255.0.0/16')).toBe(true);
  expect(within('10.255.0.0/16', '10.0.0.0/8')).toBe(true);
  expect(within('10.0.0.0/9', '10.128.0.0/9')).toBe(false);
});

test('every address of a block is given once, but its first, its last and the gateway', () => {
  const taken = new Set<string>();
  let last: string | null = null;
  for (let given = freeAddress(block, taken, last); given !== null; given = freeAddress(block, taken, last)) {
    expect(taken.has(given)).toBe(false);
    taken.add(given);
    last = given;
  }
  expect(gatewayOf(block)).toBe('172.26.64.1');
  expect([...taken]).toEqual(['2', '3', '4', '5', '6'].map((end) => `172.26.64.${end}`));
});

test('an address that was given back is the last to be given again', () => {
  const taken = new Set(['172.26.64.2']);
  expect(freeAddress(block, taken, '172.26.64.3')).toBe('172.26.64.4');
  expect(freeAddress(block, new Set(), '172.26.64.6')).toBe('172.26.64.2');
  expect(freeAddress(block, new Set(), '10.0.0.1')).toBe('172.26.64.2');
});
