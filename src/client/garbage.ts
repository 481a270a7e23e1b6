/** Which ended allocations are collected. Pure. */
export interface EndedAllocation {
  readonly id: string;
  /** Unix milliseconds. */
  readonly endedAtMs: number;
}

export interface GarbageLimits {
  readonly maxAllocs: number;
  readonly diskUsageThreshold: number;
}

/** Oldest first: as many as are beyond the limit; while the disk is too full, one more each time it is asked. */
export function chooseGarbage(
  ended: readonly EndedAllocation[],
  total: number,
  diskUsedPercent: number,
  limits: GarbageLimits,
): readonly string[] {
  const oldest = [...ended].sort((a, b) => a.endedAtMs - b.endedAtMs).map((allocation) => allocation.id);
  const beyond = Math.max(0, total - limits.maxAllocs);
  const forDisk = diskUsedPercent > limits.diskUsageThreshold ? 1 : 0;
  return oldest.slice(0, Math.max(beyond, forDisk));
}
