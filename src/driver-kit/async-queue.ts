/** Values pushed by one side and iterated by one other. Unbounded: whoever pushes must bound what it pushes. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #over = false;
  #error: unknown = undefined;
  #wake: () => void = () => {};

  push(value: T): void {
    if (this.#over) return;
    this.#values.push(value);
    this.#wake();
  }

  /** What was pushed is still given out; then the iteration ends, or throws `error`. */
  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift() as T;
      if (this.#over) {
        if (this.#error !== undefined) throw this.#error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
