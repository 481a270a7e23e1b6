import { FunctionError } from './function.ts';

/** Rows of a CSV text (RFC 4180); empty lines are skipped, and all rows must have as many fields as the first. */
export function parseCsv(source: string): string[][] {
  const text = source.replaceAll('\r\n', '\n');
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '\n') {
      at++;
      continue;
    }
    const line = rows.length + 1;
    const row: string[] = [];
    for (;;) {
      const field = text[at] === '"' ? quotedField(text, at, line) : plainField(text, at, line);
      row.push(field.value);
      at = field.end;
      if (text[at] !== ',') break;
      at++;
    }
    at++;
    const first = rows[0];
    if (first !== undefined && first.length !== row.length) {
      throw new FunctionError(`row ${line} has ${row.length} fields, and the first has ${first.length}`);
    }
    rows.push(row);
  }
  return rows;
}

interface Field {
  readonly value: string;
  readonly end: number;
}

function plainField(text: string, start: number, line: number): Field {
  let end = start;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n') {
    if (text[end] === '"') throw new FunctionError(`row ${line} has a quote inside of a field that is not quoted`);
    end++;
  }
  return { value: text.slice(start, end), end };
}

function quotedField(text: string, start: number, line: number): Field {
  let value = '';
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new FunctionError(`row ${line} has a quote that is not closed`);
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    value += '"';
    at++;
  }
  if (at < text.length && text[at] !== ',' && text[at] !== '\n') {
    throw new FunctionError(`row ${line} has text after a closing quote`);
  }
  return { value, end: at };
}
