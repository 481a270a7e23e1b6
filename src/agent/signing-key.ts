/** The key this cluster signs identities with: RSA, kept private in the data directory, its public half served as a JSON Web Key. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectories } from '../lib/node/directories.ts';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicJwk: { readonly [field: string]: unknown };
}

export async function loadSigningKey(directory: string): Promise<SigningKey> {
  const file = join(directory, 'signing-key.pem');
  const privateKey = readKey(file) ?? (await makeKey(directory, file));
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const kid = createHash('sha256').update(String(jwk['n'])).digest('hex').slice(0, 32);
  return {
    privateKey,
    publicJwk: { use: 'sig', alg: 'RS256', kid: kid.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), ...jwk },
  };
}

/** undefined: there is none, or it cannot be read any more; then a new one takes its place, and identities signed before do not verify. */
function readKey(file: string): KeyObject | undefined {
  try {
    return createPrivateKey(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

async function makeKey(directory: string, file: string): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  makeDirectories(directory, 0o700);
  writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  return privateKey;
}
