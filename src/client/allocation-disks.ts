/** What binds the disk of an allocation (`isolation/disk-quota.ts`); where the file system cannot, each of these does nothing. */
export interface AllocationDisks {
  /** `directory`: an allocation's, which no task has begun in. Faults where it stays unbound. */
  bound(directory: string, sizeMb: number): Promise<void>;
  /** `from`, below the directory of all allocations, is about to be moved into `directory`. Faults where it cannot be. */
  adopt(directory: string, from: string): Promise<void>;
  /** The files of an allocation are gone. */
  release(directory: string): Promise<void>;
}
