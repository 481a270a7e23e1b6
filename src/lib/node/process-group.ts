/** Ends a child of ours that leads a group of its own (`detached`), and what it started; undefined: it never ran. */
export function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended by itself meanwhile
  }
}
