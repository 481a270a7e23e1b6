import { displayWidth } from '../lib/display-width.ts';

/** Tables and key/value lists in the layout that scripts of Nomad's users parse: two blanks between columns, `<none>` for a blank cell. */
import type { Terminal } from './terminal.ts';

export type Row = readonly (string | number | boolean)[];

/** The first row is the heading. No line end at the last. */
export function formatTable(rows: readonly Row[]): string {
  return align(
    rows.map((row) => row.map((cell) => (cell === '' ? '<none>' : String(cell)))),
    '  ',
  );
}

/** `ID     = web` */
export function formatPairs(pairs: readonly (readonly [string, string | number | boolean])[]): string {
  return align(
    pairs.map(([key, value]) => [key, `= ${value === '' ? '<none>' : value}`]),
    ' ',
  );
}

/** A section heading: bold on a terminal. */
export function heading(terminal: Terminal, title: string): string {
  return terminal.paint('bold', title);
}

function align(rows: readonly (readonly string[])[], gap: string): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - displayWidth(cell)),
        )
        .join(gap),
    )
    .join('\n');
}
