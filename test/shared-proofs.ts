/**
 * What a lane's agents have proved of this host, for its next ones. An agent proves that once for each boot and data directory; here every
 * one has a directory of its own. It takes only what was proved under the very conditions that it finds (`src/isolation/proofs.ts`).
 */
import { chownSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** Set by scripts/test.mjs; without it every agent proves for itself. */
const folder = process.env['DROVER_TEST_PROOFS'];
const keptBy = (uid: number): string => join(folder!, `${uid}.json`);
const proofsIn = (directory: string): string => join(directory, 'data/client/proofs.json');

export function lendProofs(directory: string, uid: number): void {
  if (folder === undefined || !existsSync(keptBy(uid))) return;
  const client = join(directory, 'data/client');
  mkdirSync(client, { mode: 0o700 });
  copyFileSync(keptBy(uid), proofsIn(directory));
  for (const path of [client, proofsIn(directory)]) chownSync(path, uid, uid);
}

export function keepProofs(directory: string, uid: number): void {
  if (folder === undefined || !existsSync(proofsIn(directory))) return;
  mkdirSync(folder, { recursive: true });
  copyFileSync(proofsIn(directory), `${keptBy(uid)}.${process.pid}`);
  renameSync(`${keptBy(uid)}.${process.pid}`, keptBy(uid));
}
