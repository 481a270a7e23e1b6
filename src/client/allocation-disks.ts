/** What binds the disk of an allocation (`isolation/disk-quota.ts`). */
import { join } from 'node:path';
import { messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';

/** Where the file system cannot, each of these does nothing. */
export interface AllocationDisks {
  /** `directory`: an allocation's, which no task has begun in. Faults where it stays unbound. */
  bound(directory: string, sizeMb: number): Promise<void>;
  /** `from`, below the directory of all allocations, is about to be moved into `directory`. Faults where it cannot be. */
  adopt(directory: string, from: string): Promise<void>;
  /** The files of an allocation are gone. */
  release(directory: string): Promise<void>;
}

/** One that stays unbound runs all the same: its tasks' reports say so, and a floor refuses them. */
export async function bindDisk(
  disks: AllocationDisks | null,
  allocDir: string,
  allocId: string,
  sizeMb: number,
  log: Log,
): Promise<void> {
  try {
    await disks?.bound(join(allocDir, allocId), sizeMb);
  } catch (error) {
    log.warn('the disk of an allocation is not bound', { alloc: allocId, error: messageOf(error) });
  }
}
