import { decodeUtf8, encodeUtf8 } from '../source.ts';
import { numberType } from '../type.ts';
import { asString, stringValue, type Value } from '../value.ts';
import { base64Decode } from './base64.ts';
import { costing, define, text, typed, variadic, wholeNumber } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';
import type { FunctionHost, HashName } from './host.ts';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The part of the host, or a refusal when it is missing. */
function need<T>(part: T | undefined): T {
  if (part === undefined) throw new FunctionError('this function is not available here');
  return part;
}

const uuidNamespaces: Readonly<Record<string, string>> = {
  dns: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  url: '6ba7b811-9dad-11d1-80b4-00c04fd430c8',
  oid: '6ba7b812-9dad-11d1-80b4-00c04fd430c8',
  x500: '6ba7b814-9dad-11d1-80b4-00c04fd430c8',
};
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function uuidText(bytes: Uint8Array, version: number): string {
  const data = bytes.slice(0, 16);
  data[6] = (data[6]! & 0x0f) | (version << 4);
  data[8] = (data[8]! & 0x3f) | 0x80;
  const digits = hex(data);
  return [0, 8, 12, 16, 20].map((start, i) => digits.slice(start, [8, 12, 16, 20, 32][i])).join('-');
}

function uuid5(host: FunctionHost, namespace: string, name: string): string {
  const id = uuidNamespaces[namespace] ?? namespace;
  if (!uuidPattern.test(id))
    throw new FunctionError(`${JSON.stringify(namespace)} is no namespace: dns, url, oid, x500 or a UUID`);
  const prefix = id
    .replaceAll('-', '')
    .match(/../g)!
    .map((pair) => Number.parseInt(pair, 16));
  return uuidText(need(host.hash)('sha1', Uint8Array.from([...prefix, ...encodeUtf8(name)])), 5);
}

/** Costs below 4 mean the default, as the reference has it. */
function costOf(args: readonly Value[]): number {
  const given = args.length === 2 ? wholeNumber(args, 1) : 10;
  return given < 4 ? 10 : given;
}

function bcrypt(host: FunctionHost, args: readonly Value[]): string {
  if (args.length > 2) throw new FunctionError('a text and at most one cost are required');
  const cost = costOf(args);
  if (cost > 31) throw new FunctionError('the cost cannot be above 31');
  if (cost > maxCost) throw new FunctionError(`a cost above ${maxCost} takes too long`);
  if (encodeUtf8(asString(args[0]!)).length > 72) throw new FunctionError('more than 72 bytes cannot be hashed');
  return need(host.bcrypt)(asString(args[0]!), cost);
}

/** Each step more doubles the time; 14 takes some seconds. */
const maxCost = 14;

function rsaDecrypt(host: FunctionHost, cipher: string, key: string): string {
  const data = base64Decode(cipher);
  if (data === undefined) throw new FunctionError('the encrypted text is not base64', 0);
  const decrypt = need(host.rsaDecrypt);
  try {
    return decodeUtf8(decrypt(data, key));
  } catch (error) {
    throw new FunctionError(error instanceof Error ? error.message : 'the text cannot be decrypted');
  }
}

/** Hashes, identifiers and decryption, with what the host gives. */
export function digestFunctions(host: FunctionHost): Record<string, HclFunction> {
  const digest = (name: HashName): HclFunction =>
    define(`The ${name} digest of a text, in hexadecimal.`, [text('str')], ([a]) =>
      stringValue(hex(need(host.hash)(name, encodeUtf8(asString(a!))))),
    );
  return {
    md5: digest('md5'),
    sha1: digest('sha1'),
    sha256: digest('sha256'),
    sha512: digest('sha512'),
    bcrypt: costing(
      (args) => 200 * 2 ** Math.min(costOf(args), maxCost),
      variadic('The bcrypt hash of a text.', [text('str')], typed('cost', numberType), (args) =>
        stringValue(bcrypt(host, args)),
      ),
    ),
    rsadecrypt: define(
      'The text that was encrypted with a public key.',
      [text('ciphertext'), text('privatekey')],
      ([a, b]) => stringValue(rsaDecrypt(host, asString(a!), asString(b!))),
    ),
    uuidv4: define('A new random UUID.', [], () => stringValue(uuidText(need(host.random)(16), 4))),
    uuidv5: define('The UUID of a name in a namespace.', [text('namespace'), text('name')], ([a, b]) =>
      stringValue(uuid5(host, asString(a!), asString(b!))),
    ),
  };
}
