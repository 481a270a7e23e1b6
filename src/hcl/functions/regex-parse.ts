import { FunctionError } from './function.ts';
import { namedClass, perlClass, posixClass, type RuneTest, unicodeClass } from './regex-classes.ts';

/** A regular expression as a tree. */
export type RegexNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'rune'; readonly test: RuneTest }
  | { readonly kind: 'assert'; readonly at: 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'no-word' }
  | { readonly kind: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly kind: 'either'; readonly items: readonly RegexNode[] }
  | { readonly kind: 'group'; readonly index: number; readonly inner: RegexNode }
  | {
      readonly kind: 'repeat';
      readonly inner: RegexNode;
      readonly least: number;
      readonly most: number;
      readonly lazy: boolean;
    };

export interface ParsedRegex {
  readonly root: RegexNode;
  readonly groups: number;
  readonly names: ReadonlyMap<string, number>;
}

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly multiLine: boolean;
  readonly swapGreed: boolean;
}

const maxRepeat = 1000;
const maxDepth = 200;

const refuse = (detail: string): FunctionError => new FunctionError(`the pattern is no regular expression: ${detail}`);

/** Reads a pattern in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax). */
export function parseRegex(pattern: string): ParsedRegex {
  const parser = new RegexParser(pattern);
  const root = parser.either({ ignoreCase: false, dotAll: false, multiLine: false, swapGreed: false });
  parser.expectEnd();
  return { root, groups: parser.groups, names: parser.names };
}

class RegexParser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;
  groups = 0;
  readonly names = new Map<string, number>();

  constructor(pattern: string) {
    this.#chars = [...pattern];
  }

  expectEnd(): void {
    if (this.#at < this.#chars.length) throw refuse('there is a ")" too many');
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(text: string): boolean {
    if (
      !this.#chars
        .slice(this.#at, this.#at + text.length)
        .join('')
        .startsWith(text)
    )
      return false;
    this.#at += [...text].length;
    return true;
  }

  either(given: Flags): RegexNode {
    if (++this.#depth > maxDepth) throw refuse('groups are nested too deeply');
    let flags = given;
    const items: RegexNode[] = [];
    let sequence: RegexNode[] = [];
    for (;;) {
      const char = this.#peek();
      if (char === undefined || char === ')') break;
      if (char === '|') {
        this.#at++;
        items.push({ kind: 'sequence', items: sequence });
        sequence = [];
        continue;
      }
      const switched = this.#flagGroup(flags);
      if (switched !== undefined) {
        flags = switched;
        continue;
      }
      if (this.#take('\\Q')) {
        sequence.push(...this.#quoted(flags));
        continue;
      }
      sequence.push(this.#repeated(this.#atom(flags), flags));
    }
    this.#depth--;
    items.push({ kind: 'sequence', items: sequence });
    return items.length === 1 ? items[0]! : { kind: 'either', items };
  }

  /** `(?i)` and the like, for the rest of the group. */
  #flagGroup(flags: Flags): Flags | undefined {
    const rest = this.#chars.slice(this.#at, this.#at + 12).join('');
    const match = /^\(\?([imsU]*)(?:-([imsU]+))?\)/.exec(rest);
    if (match === null || match[0] === '(?)') return undefined;
    this.#at += match[0].length;
    return changeFlags(flags, match[1]!, match[2] ?? '');
  }

  #quoted(flags: Flags): RegexNode[] {
    const nodes: RegexNode[] = [];
    while (this.#at < this.#chars.length && !this.#take('\\E'))
      nodes.push(this.#literal(this.#chars[this.#at++]!, flags));
    return nodes;
  }

  #literal(char: string, flags: Flags): RegexNode {
    return { kind: 'rune', test: flags.ignoreCase ? foldedTest((other) => other === char) : (other) => other === char };
  }

  #rune(test: RuneTest, flags: Flags): RegexNode {
    return { kind: 'rune', test: flags.ignoreCase ? foldedTest(test) : test };
  }

  #repeated(inner: RegexNode, flags: Flags): RegexNode {
    const bounds = this.#bounds();
    if (bounds === undefined) return inner;
    const lazy = this.#take('?') !== flags.swapGreed;
    if (this.#peek() === '*' || this.#peek() === '+' || this.#peek() === '?') throw refuse('a repetition is repeated');
    return { kind: 'repeat', inner, least: bounds[0], most: bounds[1], lazy };
  }

  #bounds(): [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    const match = /^\{(\d+)(,(\d*))?\}/.exec(this.#chars.slice(this.#at, this.#at + 16).join(''));
    if (match === null) return undefined;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (least > maxRepeat || (most > maxRepeat && Number.isFinite(most)) || most < least)
      throw refuse(`the repetition ${match[0]} is not possible`);
    this.#at += match[0].length;
    return [least, most];
  }

  #atom(flags: Flags): RegexNode {
    const char = this.#chars[this.#at++]!;
    switch (char) {
      case '(':
        return this.#group(flags);
      case '[':
        return this.#rune(this.#class(), flags);
      case '.':
        return { kind: 'rune', test: flags.dotAll ? () => true : (other) => other !== '\n' };
      case '^':
        return { kind: 'assert', at: flags.multiLine ? 'line-start' : 'start' };
      case '$':
        return { kind: 'assert', at: flags.multiLine ? 'line-end' : 'end' };
      case '\\':
        return this.#escape(flags);
      case '*':
      case '+':
      case '?':
        throw refuse(`there is nothing before "${char}" to repeat`);
      default:
        return this.#literal(char, flags);
    }
  }

  #group(flags: Flags): RegexNode {
    let inner = flags;
    let index = 0;
    if (this.#take('?P<') || this.#take('?<')) index = this.#named();
    else if (this.#take('?')) {
      const match = /^([imsU]*)(?:-([imsU]+))?:/.exec(this.#chars.slice(this.#at, this.#at + 12).join(''));
      if (match === null) throw refuse('"(?" starts something that does not exist');
      this.#at += match[0].length;
      inner = changeFlags(flags, match[1]!, match[2] ?? '');
    } else index = ++this.groups;
    const content = this.either(inner);
    if (!this.#take(')')) throw refuse('a "(" is not closed');
    return index === 0 ? content : { kind: 'group', index, inner: content };
  }

  #named(): number {
    const end = this.#chars.indexOf('>', this.#at);
    const name = this.#chars.slice(this.#at, end < 0 ? this.#at : end).join('');
    if (!/^[A-Za-z0-9_]+$/.test(name)) throw refuse('the name of a group is not valid');
    if (this.names.has(name)) throw refuse(`two groups are named ${JSON.stringify(name)}`);
    this.#at = end + 1;
    this.names.set(name, ++this.groups);
    return this.groups;
  }

  #escape(flags: Flags): RegexNode {
    const char = this.#peek();
    const asserts = { A: 'start', z: 'end', b: 'word', B: 'no-word' } as const;
    if (char !== undefined && char in asserts) {
      this.#at++;
      return { kind: 'assert', at: asserts[char as keyof typeof asserts] };
    }
    return this.#rune(this.#escapedTest(), flags);
  }

  /** After a backslash: a class or one character. */
  #escapedTest(): RuneTest {
    const char = this.#chars[this.#at];
    const perl = char === undefined ? undefined : perlClass(char);
    if (perl !== undefined) {
      this.#at++;
      return perl;
    }
    if (char === 'p' || char === 'P') return this.#property();
    const literal = this.#escapedChar();
    return (other) => other === literal;
  }

  #property(): RuneTest {
    const negated = this.#chars[this.#at] === 'P';
    const match = /^[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(this.#chars.slice(this.#at, this.#at + 60).join(''));
    const test = match === null ? undefined : unicodeClass(match[2] ?? match[3]!, negated !== (match[1] === '^'));
    if (match === null || test === undefined) throw refuse('a Unicode class does not exist');
    this.#at += match[0].length;
    return test;
  }

  #escapedChar(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw refuse('the pattern ends with a backslash');
    const simple: Readonly<Record<string, string>> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
    if (simple[char] !== undefined) {
      this.#at++;
      return simple[char];
    }
    const rest = this.#chars.slice(this.#at, this.#at + 12).join('');
    const code = /^x([0-9a-fA-F]{2})/.exec(rest) ?? /^x\{([0-9a-fA-F]+)\}/.exec(rest);
    const octal = /^[0-7]{1,3}/.exec(rest);
    if (code !== null && Number.parseInt(code[1]!, 16) <= 0x10ffff) {
      this.#at += code[0].length;
      return String.fromCodePoint(Number.parseInt(code[1]!, 16));
    }
    if (octal !== null && (octal[0].startsWith('0') || octal[0].length > 1)) {
      this.#at += octal[0].length;
      return String.fromCodePoint(Number.parseInt(octal[0], 8));
    }
    if (/[A-Za-z0-9]/.test(char) || char > '\x7f') throw refuse(`\\${char} does not exist`);
    this.#at++;
    return char;
  }

  /** After `[`: the characters up to `]`. */
  #class(): RuneTest {
    const negated = this.#take('^');
    const tests: RuneTest[] = [];
    for (let first = true; ; first = false) {
      const char = this.#peek();
      if (char === undefined) throw refuse('a "[" is not closed');
      if (char === ']' && !first) break;
      tests.push(this.#classItem());
    }
    this.#at++;
    return (char) => tests.some((test) => test(char)) !== negated;
  }

  #classItem(): RuneTest {
    const rest = this.#chars.slice(this.#at, this.#at + 14).join('');
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (posix !== null) {
      const test = posixClass(posix[2]!, posix[1] === '^');
      if (test === undefined) throw refuse(`the class ${posix[0]} does not exist`);
      this.#at += posix[0].length;
      return test;
    }
    if (this.#peek() === '\\' && namedClass(this.#chars[this.#at + 1])) {
      this.#at++;
      return this.#escapedTest();
    }
    const low = this.#classChar();
    if (this.#peek() !== '-' || this.#chars[this.#at + 1] === ']' || this.#chars[this.#at + 1] === undefined)
      return (char) => char === low;
    this.#at++;
    const high = this.#classChar();
    const [from, to] = [low.codePointAt(0)!, high.codePointAt(0)!];
    if (to < from) throw refuse(`the range ${low}-${high} is empty`);
    return (char) => {
      const code = char.codePointAt(0)!;
      return code >= from && code <= to;
    };
  }

  #classChar(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw refuse('a "[" is not closed');
    return char === '\\' ? this.#escapedChar() : char;
  }
}

function changeFlags(flags: Flags, on: string, off: string): Flags {
  const value = (letter: string, before: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || before;
  return {
    ignoreCase: value('i', flags.ignoreCase),
    dotAll: value('s', flags.dotAll),
    multiLine: value('m', flags.multiLine),
    swapGreed: value('U', flags.swapGreed),
  };
}

/** True for a character when it or its other case passes. */
const foldedTest =
  (test: RuneTest): RuneTest =>
  (char) =>
    test(char) || test(char.toLowerCase()) || test(char.toUpperCase());
