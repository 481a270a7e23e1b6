/** An expression that is put into the file as it is. */
export class Expression {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HclValue =
  | string
  | number
  | boolean
  | Expression
  | readonly HclValue[]
  | { readonly [key: string]: HclValue };

/** A text in quotes, nothing in it being an expression. */
export const quoted = (text: string): string => `"${escaped(text)}"`;

/** A text as it stands inside of quotes. */
export const escaped = (text: string): string =>
  JSON.stringify(text)
    .slice(1, -1)
    .replace(/\\[\s\S]/g, (pair) => (pair === '\\b' ? '\\u0008' : pair === '\\f' ? '\\u000c' : pair))
    .replace(/[$%]\{/g, (opening) => opening[0] + opening);

const plainKey = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Writes a job file line by line; what it gives is laid out by `format` afterwards. */
export class HclWriter {
  readonly #lines: string[] = [];
  readonly #text: (text: string) => string;

  /** @param text how a text of the source is written: as a literal, or with expressions in it */
  constructor(text: (text: string) => string) {
    this.#text = text;
  }

  comment(text: string): void {
    for (const line of text.split('\n')) this.#lines.push(`# ${line}`.trimEnd());
  }

  gap(): void {
    if (this.#lines.length > 0 && this.#lines.at(-1) !== '' && !this.#lines.at(-1)!.endsWith('{')) this.#lines.push('');
  }

  attribute(name: string, value: HclValue | undefined): void {
    if (value !== undefined) this.#lines.push(`${name} = ${this.value(value)}`);
  }

  /** A block, left out where its body writes nothing and it is not `always` there. */
  block(head: string, body: () => void, always = false): void {
    const start = this.#lines.length;
    this.gap();
    this.#lines.push(`${head} {`);
    const inner = this.#lines.length;
    body();
    if (this.#lines.length === inner && !always) this.#lines.length = start;
    else this.#lines.push('}');
  }

  /** A block of free keys; those that are no names need the attribute form. */
  map(name: string, entries: readonly (readonly [string, HclValue])[]): void {
    if (entries.length === 0) return;
    if (entries.every(([key]) => plainKey.test(key))) {
      this.block(name, () => {
        for (const [key, value] of entries) this.attribute(key, value);
      });
    } else this.attribute(name, Object.fromEntries(entries));
  }

  value(value: HclValue): string {
    if (value instanceof Expression) return value.text;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object') return typeof value === 'number' ? plainNumber(value) : String(value);
    if (Array.isArray(value)) return `[${(value as readonly HclValue[]).map((item) => this.value(item)).join(', ')}]`;
    const entries = Object.entries(value as { readonly [key: string]: HclValue });
    if (entries.length === 0) return '{}';
    return `{\n${entries.map(([key, item]) => `${plainKey.test(key) ? key : this.#text(key)} = ${this.value(item)}`).join('\n')}\n}`;
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

const plainNumber = (value: number): string => (Number.isFinite(value) ? String(value) : '0');
