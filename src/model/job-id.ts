/** A namespace's name has no NUL, nor has a job's id: the pair is one key, ordered by namespace. */
export function jobId(namespace: string, id: string): string {
  return `${namespace}\u0000${id}`;
}

/** Versions sort by number within their job. */
export function jobVersionId(namespace: string, id: string, version: number): string {
  return `${jobId(namespace, id)}\u0000${String(version).padStart(10, '0')}`;
}
