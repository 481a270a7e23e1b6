import type { Log } from '../lib/log.ts';
import { lmdbJournal } from '../state/lmdb-journal.ts';
import { openStore, type StoreOptions } from '../state/open-store.ts';
import type { Schema, Store, TableSpecs } from '../state/store.ts';
import type { Opened } from './opened.ts';

/** A store over its journal; what could not be read is said, and was kept aside. */
export async function openTables<S extends Schema<S>>(
  directory: string,
  tables: TableSpecs<S>,
  log: Log,
  opened: Opened,
  options: Pick<StoreOptions<S>, 'gathers'> = {},
): Promise<Store<S>> {
  const { store, damage } = await openStore({
    ...options,
    tables,
    journal: lmdbJournal({
      directory,
      copyFailed: (error) =>
        log.warn('the second copy of the state cannot be written: a damaged file could lose it', { error }),
    }),
  });
  for (const { table, id, reason, keptAt } of damage)
    log.error('state was damaged', { table, id, reason, kept_at: keptAt });
  opened.add(() => store.close());
  return store;
}
