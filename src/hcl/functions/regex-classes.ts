/** Whether a character (one code point) belongs to a class. */
export type RuneTest = (char: string) => boolean;

const negatedIf = (negated: boolean, test: RuneTest): RuneTest => (negated ? (char) => !test(char) : test);
const byPattern =
  (pattern: RegExp): RuneTest =>
  (char) =>
    pattern.test(char);

const perl: Readonly<Record<string, RuneTest>> = {
  d: byPattern(/^[0-9]$/),
  w: byPattern(/^[0-9A-Za-z_]$/),
  s: byPattern(/^[\t\n\f\r ]$/),
};

/** `\d`, `\w`, `\s` and their opposites in upper case. */
export function perlClass(letter: string): RuneTest | undefined {
  const test = perl[letter.toLowerCase()];
  return test === undefined ? undefined : negatedIf(letter !== letter.toLowerCase(), test);
}

/** True for a letter after a backslash that stands for a class and not for one character. */
export const namedClass = (letter: string | undefined): boolean =>
  letter !== undefined && (letter === 'p' || letter === 'P' || perlClass(letter) !== undefined);

const posix: Readonly<Record<string, RegExp>> = {
  alnum: /^[0-9A-Za-z]$/,
  alpha: /^[A-Za-z]$/,
  ascii: /^[\0-\x7f]$/,
  blank: /^[\t ]$/,
  cntrl: /^[\0-\x1f\x7f]$/,
  digit: /^[0-9]$/,
  graph: /^[!-~]$/,
  lower: /^[a-z]$/,
  print: /^[ -~]$/,
  punct: /^[!-/:-@[-`{-~]$/,
  space: /^[\t\n\v\f\r ]$/,
  upper: /^[A-Z]$/,
  word: /^[0-9A-Za-z_]$/,
  xdigit: /^[0-9A-Fa-f]$/,
};

/** `[:alpha:]` and the like. */
export function posixClass(name: string, negated: boolean): RuneTest | undefined {
  const pattern = posix[name];
  return pattern === undefined ? undefined : negatedIf(negated, byPattern(pattern));
}

/** A general category (`L`, `Lu`) or a script (`Greek`). */
export function unicodeClass(name: string, negated: boolean): RuneTest | undefined {
  if (name === 'Any') return () => !negated;
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      return negatedIf(negated, byPattern(new RegExp(`^\\p{${property}}$`, 'u')));
    } catch {
      // No such property: try the next kind.
    }
  }
  return undefined;
}
