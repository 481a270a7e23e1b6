import { FunctionError } from './function.ts';

/** One part of a glob pattern between slashes. */
export type GlobPart = { readonly any: true } | { readonly any?: false; readonly matches: (name: string) => boolean };

/** Most alternatives that braces may stand for. */
const maxAlternatives = 1000;

/** The patterns that `{a,b}` stand for. */
export function expandBraces(pattern: string): string[] {
  let depth = 0;
  let open = -1;
  let starts: number[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') i++;
    else if (char === '{') {
      if (depth++ === 0) {
        open = i;
        starts = [i];
      }
    } else if (char === ',' && depth === 1) starts.push(i);
    else if (char === '}' && depth > 0 && --depth === 0) {
      const ends = [...starts.slice(1), i];
      const found: string[] = [];
      for (const [k, start] of starts.entries()) {
        const inner = pattern.slice(0, open) + pattern.slice(start + 1, ends[k]) + pattern.slice(i + 1);
        found.push(...expandBraces(inner));
        if (found.length > maxAlternatives)
          throw new FunctionError(`more than ${maxAlternatives} alternatives in braces`);
      }
      return found;
    }
  }
  if (depth > 0) throw new FunctionError('a brace of the pattern is not closed');
  return [pattern];
}

/** The parts of a pattern without braces; `**` stands for any number of directories. */
export function globParts(pattern: string): GlobPart[] {
  return pattern.split('/').map((part) => (part === '**' ? { any: true } : { matches: nameMatcher(part) }));
}

type Item = (char: string) => boolean;

/** A matcher of one name: `*`, `?`, `[a-z]`, `[^a]` and `\` for a literal. */
function nameMatcher(part: string): (name: string) => boolean {
  const items: (Item | '*')[] = [];
  const chars = [...part];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === '*') {
      if (items.at(-1) !== '*') items.push('*');
    } else if (char === '?') items.push(() => true);
    else if (char === '[') {
      const end = chars.indexOf(']', i + 2);
      if (end < 0) throw new FunctionError('a bracket of the pattern is not closed');
      items.push(classMatcher(chars.slice(i + 1, end)));
      i = end;
    } else {
      const literal = char === '\\' ? (chars[++i] ?? '\\') : char;
      items.push((other) => other === literal);
    }
  }
  return (name) => matchItems(items, [...name]);
}

function classMatcher(chars: readonly string[]): Item {
  const negated = chars[0] === '^' || chars[0] === '!';
  const list = negated ? chars.slice(1) : chars;
  const ranges: [string, string][] = [];
  for (let i = 0; i < list.length; i++) {
    const start = list[i] === '\\' ? list[++i]! : list[i]!;
    if (list[i + 1] === '-' && i + 2 < list.length) {
      ranges.push([start, list[i + 2]!]);
      i += 2;
    } else ranges.push([start, start]);
  }
  return (char) => ranges.some(([low, high]) => char >= low && char <= high) !== negated;
}

/** Greedy with one place to come back to, so the time is at most the product of both lengths. */
function matchItems(items: readonly (Item | '*')[], chars: readonly string[]): boolean {
  let item = 0;
  let char = 0;
  let star = -1;
  let resume = 0;
  while (char < chars.length) {
    const now = items[item];
    if (now === '*') {
      star = item++;
      resume = char;
    } else if (now?.(chars[char]!)) {
      item++;
      char++;
    } else if (star >= 0) {
      item = star + 1;
      char = ++resume;
    } else return false;
  }
  while (items[item] === '*') item++;
  return item === items.length;
}
