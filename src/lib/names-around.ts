/** The names that enclose a line (from 1) of a JSON text laid out with an indentation, the outermost first: `['mount', 'target']`. */
export function namesAround(lines: readonly string[], line: number): readonly string[] {
  const names: string[] = [];
  for (let [at, limit] = [line - 1, Number.POSITIVE_INFINITY]; at > 0; at--) {
    const found = /^( *)(?:"((?:[^"\\]|\\.)*)":)?/.exec(lines[at] ?? '');
    const depth = found?.[1]?.length ?? 0;
    if (depth >= limit) continue;
    limit = depth;
    if (found?.[2] !== undefined) names.unshift(JSON.parse(`"${found[2]}"`) as string);
  }
  return names;
}
