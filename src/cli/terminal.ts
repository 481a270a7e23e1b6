/** Where a command writes: plain text into pipes and files, colour and live lines only on a terminal. */
export interface Terminal {
  readonly isTty: boolean;
  readonly color: boolean;
  /** Columns; pipes count as unlimited. */
  readonly width: number;
  out(text: string): void;
  error(text: string): void;
  /** A status line that replaces the one before it on a terminal, and is not written at all elsewhere. */
  live(text: string): void;
  paint(color: Color, text: string): string;
}

export type Color = 'bold' | 'red' | 'green' | 'yellow' | 'blue' | 'dim';

const codes: Readonly<Record<Color, string>> = {
  bold: '1',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  dim: '2',
};

export interface TerminalOptions {
  readonly noColor: boolean;
  readonly forceColor: boolean;
}

export function createTerminal(
  stdout: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown },
  stderr: { write(text: string): unknown },
  options: TerminalOptions,
): Terminal {
  const isTty = stdout.isTTY === true;
  const color = options.forceColor || (isTty && !options.noColor);
  let live = false;
  const clear = (): void => {
    if (live) stdout.write('\r\u001b[K');
    live = false;
  };
  return {
    isTty,
    color,
    width: isTty ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY,
    out: (text) => {
      clear();
      stdout.write(`${text}\n`);
    },
    error: (text) => {
      clear();
      stderr.write(`${text}\n`);
    },
    live: (text) => {
      if (!isTty) return;
      clear();
      stdout.write(text.slice(0, (stdout.columns ?? 80) - 1));
      live = true;
    },
    paint: (name, text) => (color ? `\u001b[${codes[name]}m${text}\u001b[0m` : text),
  };
}
