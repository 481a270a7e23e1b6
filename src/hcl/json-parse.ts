import { type Diagnostic, errorAt } from './diagnostic.ts';
import { countGraphemes } from './graphemes.ts';
import { maxNesting } from './parser-core.ts';
import { SourceFile, SourceRange } from './source.ts';
import type { JsonNode, JsonProperty } from './syntax.ts';

/** A parsed JSON text. */
export interface ParsedJson {
  readonly source: SourceFile;
  readonly root: JsonNode;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a JSON text with the positions of all its parts. */
export function parseJsonText(source: string | Uint8Array, filename: string): ParsedJson {
  const file = new SourceFile(filename, source);
  const reader = new JsonReader(file);
  const root = reader.root();
  return { source: file, root, diagnostics: reader.diagnostics };
}

const numberPattern = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/** Halves of surrogate pairs are no characters. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd').normalize('NFC');
const isBlank = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;
const isWordByte = (byte: number | undefined): boolean =>
  byte !== undefined && (byte > 127 || /[A-Za-z0-9_+.-]/.test(String.fromCharCode(byte)));

interface Mark {
  readonly at: number;
  readonly line: number;
  readonly column: number;
}

/** How the parts of an object or array are separated, and what is said where they are not. */
interface Form {
  readonly close: number;
  readonly missing: string;
  readonly expected: string;
  readonly trailing: string;
  readonly needed: string;
}

const objectForm: Form = {
  close: 125,
  missing: 'Missing attribute separator',
  expected: 'properties are separated by a comma, and "}" ends the object',
  trailing: 'Trailing comma in object',
  needed: 'after a comma another property must follow',
};

const arrayForm: Form = {
  close: 93,
  missing: 'Missing item separator',
  expected: 'items are separated by a comma, and "]" ends the array',
  trailing: 'Trailing comma in array',
  needed: 'after a comma another item must follow',
};

class JsonReader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #file: SourceFile;
  readonly #bytes: Uint8Array;
  #at = 0;
  #line = 1;
  #column = 1;
  #depth = 0;

  constructor(file: SourceFile) {
    this.#file = file;
    this.#bytes = file.bytes;
    if (file.bytes[0] === 0xef && file.bytes[1] === 0xbb && file.bytes[2] === 0xbf) this.#at = 3;
  }

  root(): JsonNode {
    this.#skipBlanks();
    const node = this.#value();
    this.#skipBlanks();
    if (this.diagnostics.length === 0 && this.#at < this.#bytes.length) {
      const from = this.#mark();
      this.#step();
      this.#problem(this.#since(from), 'Extraneous data after value', 'nothing may follow the JSON value');
    }
    return node;
  }

  #problem(range: SourceRange, summary: string, detail: string): void {
    this.diagnostics.push(errorAt(range, summary, detail));
  }

  #mark(): Mark {
    return { at: this.#at, line: this.#line, column: this.#column };
  }

  #since(from: Mark): SourceRange {
    return new SourceRange(this.#file, from.line, from.column, from.at, this.#line, this.#column, this.#at);
  }

  #step(): void {
    if (this.#bytes[this.#at] === 10) {
      this.#line++;
      this.#column = 1;
    } else this.#column++;
    this.#at++;
  }

  #skipBlanks(): void {
    while (isBlank(this.#bytes[this.#at])) this.#step();
  }

  #value(): JsonNode {
    const byte = this.#bytes[this.#at];
    if (byte === 123 || byte === 91) return this.#nested(byte);
    if (byte === 34) return this.#string();
    const from = this.#mark();
    while (isWordByte(this.#bytes[this.#at])) this.#at++;
    if (this.#at > from.at) return this.#word(from);
    if (this.#at < this.#bytes.length) this.#step();
    const range = this.#since(from);
    const what = byte === undefined ? 'the file ends where a value must start' : 'a value must start here';
    this.#problem(range, 'Invalid JSON value', what);
    return { kind: 'invalid', range };
  }

  #nested(byte: number): JsonNode {
    if (++this.#depth > maxNesting) {
      const range = this.#since(this.#mark());
      this.#problem(range, 'Nesting too deep', `more than ${maxNesting} levels of nesting are not read`);
      this.#at = this.#bytes.length;
      return { kind: 'invalid', range };
    }
    const node = byte === 123 ? this.#object() : this.#array();
    this.#depth--;
    return node;
  }

  #word(from: Mark): JsonNode {
    const text = this.#file.text(from.at, this.#at);
    this.#column += countGraphemes(text);
    const range = this.#since(from);
    if (text === 'null') return { kind: 'null', range };
    if (text === 'true' || text === 'false') return { kind: 'bool', value: text === 'true', range };
    if (numberPattern.test(text)) return { kind: 'number', text, range };
    const what = /^[-+.0-9]/.test(text)
      ? 'this is no JSON number'
      : 'only null, true and false are words of JSON; texts need double quotes';
    this.#problem(range, 'Invalid JSON value', what);
    return { kind: 'invalid', range };
  }

  #string(): JsonNode {
    const from = this.#mark();
    let end = this.#at + 1;
    for (;;) {
      const byte = this.#bytes[end];
      if (byte === undefined || byte === 10) break;
      if (byte === 34) {
        end++;
        const text = this.#file.text(this.#at, end);
        this.#column += countGraphemes(text);
        this.#at = end;
        return this.#decode(text, this.#since(from));
      }
      end += byte === 92 ? 2 : 1;
    }
    this.#column += countGraphemes(this.#file.text(this.#at, Math.min(end, this.#bytes.length)));
    this.#at = Math.min(end, this.#bytes.length);
    const range = this.#since(from);
    this.#problem(range, 'Unclosed string', 'this string has no closing quote on its line');
    return { kind: 'invalid', range };
  }

  #decode(text: string, range: SourceRange): JsonNode {
    try {
      return { kind: 'string', value: wellFormed(JSON.parse(text) as string), range };
    } catch {
      this.#problem(range, 'Invalid JSON string', 'this holds an unknown escape or a bare control character');
      return { kind: 'invalid', range };
    }
  }

  /** After a mistake: skips to behind the bracket that closes the one that is open. */
  #recover(open: SourceRange): JsonNode {
    for (let depth = 1; depth > 0 && this.#at < this.#bytes.length; ) {
      const byte = this.#bytes[this.#at]!;
      if (byte === 34) {
        this.#string();
        continue;
      }
      if (byte === 123 || byte === 91) depth++;
      else if (byte === 125 || byte === 93) depth--;
      this.#step();
    }
    return { kind: 'invalid', range: open };
  }

  #refuse(summary: string, detail: string): void {
    const from = this.#mark();
    const start = { ...from };
    if (this.#at < this.#bytes.length) this.#step();
    const range = this.#since(start);
    this.#at = from.at;
    this.#line = from.line;
    this.#column = from.column;
    this.#problem(range, summary, detail);
  }

  #object(): JsonNode {
    const from = this.#mark();
    this.#step();
    const openRange = this.#since(from);
    const properties: JsonProperty[] = [];
    this.#skipBlanks();
    for (;;) {
      if (this.#bytes[this.#at] === 125) return this.#closeObject(from, openRange, properties);
      const before = this.diagnostics.length;
      if (this.#bytes[this.#at] !== 34) {
        this.#refuse('Invalid object property name', 'the name of a property in double quotes must start here');
        return this.#recover(openRange);
      }
      const name = this.#string();
      this.#skipBlanks();
      if (this.#bytes[this.#at] !== 58) {
        if (this.diagnostics.length === before)
          this.#refuse('Missing property value colon', 'a colon must follow the name of a property');
        return this.#recover(openRange);
      }
      this.#step();
      this.#skipBlanks();
      const value = this.#value();
      if (name.kind === 'string') properties.push({ name: name.value, nameRange: name.range, value });
      if (!this.#separated(objectForm, before)) return this.#recover(openRange);
    }
  }

  /** Behind a part: a comma and another part, or the closing bracket ahead. `before`: how many problems there were before the part. */
  #separated(form: Form, before: number): boolean {
    this.#skipBlanks();
    const next = this.#bytes[this.#at];
    if (next === form.close) return true;
    if (next !== 44) {
      if (this.diagnostics.length === before) this.#refuse(form.missing, form.expected);
      return false;
    }
    const comma = this.#mark();
    this.#step();
    const range = this.#since(comma);
    this.#skipBlanks();
    if (this.#bytes[this.#at] !== form.close) return true;
    this.#problem(range, form.trailing, form.needed);
    return false;
  }

  #closeObject(from: Mark, openRange: SourceRange, properties: JsonProperty[]): JsonNode {
    const close = this.#mark();
    this.#step();
    return { kind: 'object', properties, openRange, closeRange: this.#since(close), range: this.#since(from) };
  }

  #array(): JsonNode {
    const from = this.#mark();
    this.#step();
    const openRange = this.#since(from);
    const items: JsonNode[] = [];
    this.#skipBlanks();
    for (;;) {
      if (this.#bytes[this.#at] === 93) {
        this.#step();
        return { kind: 'array', items, openRange, range: this.#since(from) };
      }
      const before = this.diagnostics.length;
      items.push(this.#value());
      if (!this.#separated(arrayForm, before)) return this.#recover(openRange);
    }
  }
}
