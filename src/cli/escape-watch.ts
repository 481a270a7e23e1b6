/** Finds the escape sequence (the character and a dot at the beginning of a line) in what is typed, and holds it back. */
export class EscapeWatch {
  readonly #escape: number;
  #state: 'line start' | 'escaped' | 'inside' = 'line start';

  /** `""`: nothing is looked for. */
  constructor(escapeChar: string) {
    this.#escape = escapeChar === '' ? -1 : escapeChar.charCodeAt(0);
  }

  /** What may be passed on, and whether the session is to be left. */
  take(chunk: Uint8Array): { readonly pass: Uint8Array; readonly leave: boolean } {
    const pass: number[] = [];
    for (const byte of chunk) {
      if (this.#state === 'escaped') {
        if (byte === 0x2e) return { pass: Uint8Array.from(pass), leave: true };
        pass.push(this.#escape);
        // the character twice is the character once
        if (byte === this.#escape) {
          this.#state = 'inside';
          continue;
        }
      } else if (this.#state === 'line start' && byte === this.#escape) {
        this.#state = 'escaped';
        continue;
      }
      pass.push(byte);
      this.#state = byte === 0x0d || byte === 0x0a ? 'line start' : 'inside';
    }
    return { pass: Uint8Array.from(pass), leave: false };
  }
}
