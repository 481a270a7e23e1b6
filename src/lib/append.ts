/** Puts more items at the end of a list. `list.push(...more)` passes each as an argument, and a hundred thousand are too many. */
export function append<T>(list: T[], more: Iterable<T>): void {
  for (const item of more) list.push(item);
}
