/** Leases as files of the client's state directory, one per allocation: written through to the disk before anything is made. */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';
import type { NetworkLease } from './lease.ts';

export class LeaseStore {
  readonly #directory: string;
  readonly #leases = new Map<string, NetworkLease>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `unreadable`: names of files that are no leases; they are left where they are. */
  static async open(directory: string): Promise<{ store: LeaseStore; unreadable: readonly string[] }> {
    const store = new LeaseStore(directory);
    const unreadable: string[] = [];
    for (const name of await readdir(directory).catch(() => [] as string[])) {
      if (!name.endsWith('.json')) continue;
      const lease = await readLease(join(directory, name));
      if (lease === null) unreadable.push(name);
      else store.#leases.set(lease.allocId, lease);
    }
    return { store, unreadable };
  }

  get(allocId: string): NetworkLease | undefined {
    return this.#leases.get(allocId);
  }

  all(): readonly NetworkLease[] {
    return [...this.#leases.values()];
  }

  addresses(): ReadonlySet<string> {
    return new Set(this.all().flatMap(({ address }) => (address === '' ? [] : [address])));
  }

  /** Resolves when it is on the disk. Known at once, so that two allocations never choose one address. */
  async save(lease: NetworkLease): Promise<void> {
    this.#leases.set(lease.allocId, lease);
    makeDirectories(this.#directory, 0o700);
    const path = join(this.#directory, `${lease.allocId}.json`);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(lease));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  }

  async remove(allocId: string): Promise<void> {
    await rm(join(this.#directory, `${allocId}.json`), { force: true });
    this.#leases.delete(allocId);
  }
}

async function readLease(path: string): Promise<NetworkLease | null> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<NetworkLease>;
    return value.version === 1 && typeof value.allocId === 'string' && Array.isArray(value.ports)
      ? (value as NetworkLease)
      : null;
  } catch {
    return null;
  }
}
