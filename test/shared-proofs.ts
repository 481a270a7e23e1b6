/**
 * What a lane's agents have proved of this host, for its next ones. An agent proves that once for each boot and data directory; here every
 * one has a directory of its own. It takes only what was proved under the very conditions that it finds (`src/isolation/proofs.ts`).
 */
import { chownSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** Set by scripts/test.mjs; without it every agent proves for itself. */
const folder = process.env['DROVER_TEST_PROOFS'];

/** Agents that prove alike. */
export interface Prover {
  readonly directory: string;
  readonly uid: number;
  /** Tasks' control groups: what holds in one parent is not said of another. */
  readonly cgroupParent: string;
}

/** What one that still runs has proved by now is good for the next. */
const running = new Set<Prover>();
const keptBy = ({ uid, cgroupParent }: Prover): string =>
  join(folder!, `${uid}-${cgroupParent.replaceAll('/', '.')}.json`);
const proofsIn = (directory: string): string => join(directory, 'data/client/proofs.json');

export function lendProofs(prover: Prover): void {
  if (folder === undefined) return;
  for (const each of running) keep(each);
  running.add(prover);
  const { directory, uid } = prover;
  if (!existsSync(keptBy(prover))) return;
  const client = join(directory, 'data/client');
  mkdirSync(client, { mode: 0o700 });
  copyFileSync(keptBy(prover), proofsIn(directory));
  for (const path of [client, proofsIn(directory)]) chownSync(path, uid, uid);
}

/** Before its directory goes. */
export function keepProofs({ directory }: Pick<Prover, 'directory'>): void {
  for (const each of running) {
    if (each.directory !== directory) continue;
    keep(each);
    running.delete(each);
  }
}

function keep(prover: Prover): void {
  const { directory } = prover;
  if (!existsSync(proofsIn(directory))) return;
  mkdirSync(folder!, { recursive: true });
  const written = `${keptBy(prover)}.${process.pid}`;
  copyFileSync(proofsIn(directory), written);
  renameSync(written, keptBy(prover));
}
