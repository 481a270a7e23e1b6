/** Edit distance of two names, or more than `limit` as soon as that is certain. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let best = i;
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const cost = Math.min(change, previous[j]! + 1, row[j - 1]! + 1);
      row.push(cost);
      if (cost < best) best = cost;
    }
    if (best > limit) return limit + 1;
    previous = row;
  }
  return previous[b.length]!;
}

/** The name among `known` that `given` was most likely meant to be (at most two edits away). */
export function nearestName(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = given.length < 4 ? 2 : 3;
  for (const name of known) {
    // A beginning of a name is as near as one letter off.
    const begins = given.length > 2 && given.length < name.length && name.startsWith(given);
    const far = begins ? 1 : distance(given, name, bestDistance - 1);
    if (far < bestDistance) {
      best = name;
      bestDistance = far;
    }
  }
  return best;
}

/** ` Did you mean "x"?`, or nothing. */
export function suggestion(given: string, known: Iterable<string>): string {
  const name = nearestName(given, known);
  return name === undefined ? '' : ` Did you mean ${JSON.stringify(name)}?`;
}
