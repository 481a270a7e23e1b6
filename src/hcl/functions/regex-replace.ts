import { LimitError, maxValueSize } from '../limits.ts';
import { compileRegex, RegexRunner } from './regex-run.ts';

/** The text with all matches of a pattern replaced; `$1`, `$name` and `${name}` stand for groups, `$$` for a `$`. */
export function replaceRegex(text: string, pattern: string, replacement: string): string {
  const regex = compileRegex(pattern);
  const chars = [...text];
  const runner = new RegexRunner(regex, chars);
  const parts: string[] = [];
  let length = 0;
  const push = (part: string): void => {
    length += part.length;
    if (length > maxValueSize * 16) throw new LimitError('a text that is too long');
    parts.push(part);
  };
  let copied = 0;
  let lastEnd = -1;
  for (let at = 0; at <= chars.length; ) {
    const found = runner.find(at);
    if (found === undefined) break;
    const [start, end] = [found[0]!, found[1]!];
    // An empty match right after a match does not count.
    if (end > start || end !== lastEnd) {
      push(chars.slice(copied, start).join(''));
      push(expand(replacement, chars, found, regex.names));
      copied = end;
      lastEnd = end;
    }
    at = end > start ? end : start + 1;
  }
  push(chars.slice(copied).join(''));
  return parts.join('');
}

const reference = /\$(?:\$|\{([A-Za-z0-9_]+)\}|([\p{L}\p{Nd}_]+))/gu;

function expand(
  template: string,
  chars: readonly string[],
  found: readonly number[],
  names: ReadonlyMap<string, number>,
): string {
  return template.replace(reference, (whole: string, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (name === undefined) return whole === '$$' ? '$' : whole;
    const index = /^[0-9]+$/.test(name) ? Number(name) : names.get(name);
    const start = index === undefined ? undefined : found[index * 2];
    if (start === undefined || start < 0) return '';
    return chars.slice(start, found[index! * 2 + 1]).join('');
  });
}
