import { isInteger, truncate } from '../number.ts';
import { numberType, stringType } from '../type.ts';
import { asNumber, asString, listValue, stringValue, type Value } from '../value.ts';
import { addressText, type Network, networkText, parseNetwork } from './address.ts';
import { define, number, text, typed, variadic, wholeNumber } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';

/** Most bits that a prefix is extended by at once. */
const maxNewBits = 32;

function network(value: Value, argument?: number): Network {
  const parsed = parseNetwork(asString(value));
  if (parsed !== undefined) return parsed;
  throw new FunctionError(`${JSON.stringify(value.data)} is no network like 10.0.0.0/8`, argument);
}

function bigInteger(value: Value): bigint {
  const whole = isInteger(asNumber(value)) ? truncate(asNumber(value)) : undefined;
  if (whole === undefined) throw new FunctionError('a whole number is required');
  return whole;
}

function host([prefix, wanted]: readonly Value[]): Value {
  const net = network(prefix!);
  const given = bigInteger(wanted!);
  const last = (1n << BigInt(net.bits - net.length)) - 1n;
  const index = given < 0n ? -given - 1n : given;
  if (index > last)
    throw new FunctionError(`a network of ${net.bits - net.length} host bits has no host number ${given}`);
  return stringValue(addressText(net.base | (given < 0n ? last - index : index), net.bits));
}

function subnet(args: readonly Value[]): Value {
  const net = network(args[0]!);
  const newBits = wholeNumber(args, 1, false);
  const index = bigInteger(args[2]!);
  const length = net.length + newBits;
  if (newBits > maxNewBits) throw new FunctionError(`a prefix cannot be extended by more than ${maxNewBits} bits`);
  if (length > net.bits || newBits < 0) {
    throw new FunctionError(`a prefix of ${net.length} bits cannot be extended by ${newBits}`);
  }
  if (index >= 1n << BigInt(newBits))
    throw new FunctionError(`${newBits} bits cannot hold the network number ${index}`);
  const base = net.base | (index << BigInt(net.bits - length));
  return stringValue(networkText({ base: base < 0n ? -base : base, bits: net.bits, length }));
}

/** Networks one after the other, each as early as its size allows. */
function subnets(args: readonly Value[]): Value {
  const net = network(args[0]!, 0);
  const end = net.base + (1n << BigInt(net.bits - net.length));
  const found: Value[] = [];
  let next = net.base;
  for (let i = 1; i < args.length; i++) {
    const newBits = wholeNumber(args, i);
    const length = net.length + newBits;
    if (newBits < 1) throw new FunctionError('the prefix must be extended by at least one bit', i);
    if (newBits > maxNewBits) throw new FunctionError(`a prefix cannot be extended by more than ${maxNewBits} bits`, i);
    if (length > net.bits)
      throw new FunctionError(`a prefix of ${net.length} bits cannot be extended by ${newBits}`, i);
    const size = 1n << BigInt(net.bits - length);
    const base = ((next + size - 1n) / size) * size;
    if (base + size > end) throw new FunctionError('there is no room for this network', i);
    found.push(stringValue(networkText({ base, bits: net.bits, length })));
    next = base + size;
  }
  return listValue(found, stringType);
}

function netmask([prefix]: readonly Value[]): Value {
  const net = network(prefix!);
  const mask = ((1n << BigInt(net.length)) - 1n) << BigInt(net.bits - net.length);
  return stringValue(addressText(mask, net.bits));
}

export const networkFunctions: Readonly<Record<string, HclFunction>> = {
  cidrhost: define('The address of a host in a network.', [text('prefix'), number('hostnum')], host),
  cidrnetmask: define('The mask of a network.', [text('prefix')], netmask),
  cidrsubnet: define(
    'A part of a network, by its number.',
    [text('prefix'), number('newbits'), number('netnum')],
    subnet,
  ),
  cidrsubnets: variadic(
    'Parts of a network one after the other.',
    [text('prefix')],
    typed('newbits', numberType),
    subnets,
  ),
};
