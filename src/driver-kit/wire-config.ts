/** Option values as MessagePack, as the plugin protocol carries them: keys sorted, whole numbers as integers. */
import { decode, encode } from '@msgpack/msgpack';
import { decodeConfig } from '../driver/config-decode.ts';
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import { Fault, messageOf } from '../lib/fault.ts';

export function encodeValue(value: unknown): Uint8Array {
  return encode(value, { sortKeys: true, useBigInt64: true });
}

/** Names that the schema does not know are ignored: the host may be newer. Empty bytes are an empty body. */
export function decodeValue<S extends ConfigSchema>(schema: S, bytes: Uint8Array): ConfigOf<S> {
  const body = known(schema, unpack(bytes));
  const decoded = decodeConfig(schema, body);
  if (!decoded.ok) throw new Fault('invalid', decoded.problems.join(' '));
  return decoded.value;
}

function unpack(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  try {
    return narrow(decode(bytes, { useBigInt64: true }));
  } catch (error) {
    throw new Fault('invalid', `the options are no MessagePack: ${messageOf(error)}`, { cause: error });
  }
}

/** 64-bit integers come as bigint: those that fit are numbers. */
function narrow(value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asIntN(54, value) === value ? Number(value) : value;
  if (Array.isArray(value)) return value.map(narrow);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, narrow(each)]));
}

function known(schema: ConfigSchema, body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => Object.hasOwn(schema, name)));
}
