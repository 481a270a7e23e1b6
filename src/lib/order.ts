/** Order of texts by their UTF-16 units, as `sort()` has it: the same on every machine, unlike `localeCompare`. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The entries of a map, by name. Empty where there is none. */
export function sortedEntries<T>(map: { readonly [name: string]: T } | null | undefined): [string, T][] {
  return Object.entries(map ?? {}).sort(([left], [right]) => compareText(left, right));
}
