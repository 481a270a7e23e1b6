/**
 * A hint is for people, and hostile files have a hundred thousand wrong names beside as many right ones, or names of a megabyte: of more
 * names than these only the first are looked at, and none that is longer.
 */
const mostKnown = 200;
const longest = 100;

/** One line of the table of edits: as long as the longest name. */
const line = new Uint8Array(longest + 1);

/** Edit distance of two names, or more than `limit` as soon as that is certain. */
function distance(a: string, b: string, limit: number): number {
  for (let j = 0; j <= b.length; j++) line[j] = j;
  for (let i = 1; i <= a.length; i++) {
    let diagonal = line[0]!;
    let best = i;
    line[0] = i;
    const letter = a.charCodeAt(i - 1);
    for (let j = 1; j <= b.length; j++) {
      const above = line[j]!;
      const change = diagonal + (letter === b.charCodeAt(j - 1) ? 0 : 1);
      const cost = Math.min(change, above + 1, line[j - 1]! + 1);
      diagonal = above;
      line[j] = cost;
      if (cost < best) best = cost;
    }
    if (best > limit) return limit + 1;
  }
  return line[b.length]!;
}

/** Which letters a name has, in 32 bits: names that differ in many are far apart, which is seen without comparing them. */
function lettersOf(name: string): number {
  let letters = 0;
  for (let i = 0; i < name.length; i++) letters |= 1 << name.charCodeAt(i);
  return letters;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}

/** The name among `known` that `given` was most likely meant to be (at most two edits away). */
export function nearestName(given: string, known: Iterable<string>): string | undefined {
  if (given.length > longest) return undefined;
  let best: string | undefined;
  let bestDistance = given.length < 4 ? 2 : 3;
  const letters = lettersOf(given);
  let left = mostKnown;
  for (const name of known) {
    if (left-- === 0) break;
    if (name.length > longest) continue;
    // A beginning of a name is as near as one letter off.
    const begins = given.length > 2 && given.length < name.length && name.startsWith(given);
    const far =
      begins || isSwapped(given, name)
        ? 1
        : isFar(given, name, letters, bestDistance)
          ? bestDistance
          : distance(given, name, bestDistance - 1);
    if (far < bestDistance) {
      best = name;
      bestDistance = far;
    }
    // Nearer would be the same.
    if (bestDistance === 1) break;
  }
  return best;
}

/** True where two letters that follow each other changed places: one slip of the fingers, though two edits. */
function isSwapped(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** True of names that cannot be nearer than `edits`: one edit is one more letter, or other letters by two. */
function isFar(given: string, name: string, letters: number, edits: number): boolean {
  if (Math.abs(given.length - name.length) >= edits) return true;
  return bitCount(letters ^ lettersOf(name)) > 2 * (edits - 1);
}

/** ` Did you mean "x"?`, or nothing. */
export function suggestion(given: string, known: Iterable<string>): string {
  const name = nearestName(given, known);
  return name === undefined ? '' : ` Did you mean ${JSON.stringify(name)}?`;
}
