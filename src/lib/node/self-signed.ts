/** A key and a certificate of its own for one connection between two programs of a host: what neither has to keep or renew. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface SelfSigned {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** The certificate's DER bytes. */
  readonly der: Buffer;
}

/**
 * For client and server, and its own authority (RFC 5280); valid for thirty years, for the processes that hold it do not live longer.
 * `hostname`: common name and only alternative name. `now`: milliseconds since 1970.
 */
export function selfSigned(hostname: string, now: number): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certified = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    ecdsaWithSha256,
    nameOf(hostname),
    sequence(generalizedTime(now - 30_000), generalizedTime(now + 30 * 365.25 * 86_400_000)),
    nameOf(hostname),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, extensions(hostname)),
  );
  const der = sequence(certified, ecdsaWithSha256, bitString(signature(certified, privateKey)));
  return { certificate: pemOf(der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, der };
}

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function signature(bytes: Buffer, key: KeyObject): Buffer {
  return sign('sha256', bytes, key);
}

/** Positive and of at most 20 bytes. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return bytes;
}

// DER (X.690): tag, length, content

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 128) return [length];
  return length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

const sequence = (...contents: readonly Buffer[]): Buffer => der(0x30, ...contents);
const integer = (bytes: Buffer): Buffer => der(0x02, bytes);
const octetString = (content: Buffer): Buffer => der(0x04, content);
const bitString = (bytes: Buffer, unusedBits = 0): Buffer => der(0x03, Buffer.from([unusedBits]), bytes);
const tagged = (number: number, content: Buffer): Buffer => der(0xa0 | number, content);
const isTrue = der(0x01, Buffer.from([0xff]));

function objectId(...parts: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = parts;
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(part: number): readonly number[] {
  const bytes = [part & 0x7f];
  for (let rest = part >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

/** `20260131235959Z` */
function generalizedTime(ms: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`));
}

const ecdsaWithSha256 = sequence(objectId(1, 2, 840, 10045, 4, 3, 2));

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectId(2, 5, 4, 3), der(0x0c, Buffer.from(commonName)))));
}

function extensions(hostname: string): Buffer {
  const extension = (id: Buffer, critical: boolean, value: Buffer): Buffer =>
    sequence(id, ...(critical ? [isTrue] : []), octetString(value));
  // digitalSignature, keyEncipherment, keyAgreement, keyCertSign
  const keyUsage = bitString(Buffer.from([0b1010_1100]), 2);
  const clientAndServer = sequence(objectId(1, 3, 6, 1, 5, 5, 7, 3, 2), objectId(1, 3, 6, 1, 5, 5, 7, 3, 1));
  return sequence(
    extension(objectId(2, 5, 29, 19), true, sequence(isTrue)),
    extension(objectId(2, 5, 29, 15), true, keyUsage),
    extension(objectId(2, 5, 29, 37), false, clientAndServer),
    extension(objectId(2, 5, 29, 17), false, sequence(der(0x82, Buffer.from(hostname)))),
  );
}
