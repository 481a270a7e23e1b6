/** Go's string literals. */
const simple: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** `"a\n"` or a raw string → its value; undefined where an escape is none. */
export function unquote(literal: string): string | undefined {
  if (literal.startsWith('`')) return literal.slice(1, -1).replaceAll('\r', '');
  const text = literal.slice(1, -1);
  let value = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\\') {
      value += text[at];
      continue;
    }
    const kind = text[++at] ?? '';
    const digits = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(text.slice(at));
    if (Object.hasOwn(simple, kind)) value += simple[kind];
    else if (digits === null) return undefined;
    else {
      const code =
        digits[4] === undefined
          ? Number.parseInt(digits[1] ?? digits[2] ?? digits[3]!, 16)
          : Number.parseInt(digits[4], 8);
      if (code > 0x10ffff) return undefined;
      value += String.fromCodePoint(code);
      at += digits[0].length - 1;
    }
  }
  return value;
}

/** As `%q` writes it. */
export function quote(text: string): string {
  let result = '"';
  for (const char of text) {
    const name = Object.keys(simple).find((key) => simple[key] === char);
    const code = char.codePointAt(0)!;
    if (name !== undefined) result += `\\${name}`;
    else if (code < 0x20 || code === 0x7f) result += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (
      code > 0xffff ? /\P{L}/u.test(char) && !/[\p{P}\p{S}\p{N}\p{M}]/u.test(char) : /[\p{C}\u2028\u2029]/u.test(char)
    )
      result += code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
    else result += char;
  }
  return `${result}"`;
}
