/** Steps about one thing, one after the other, while those about others go on. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** After every earlier step of the same key, however that went. */
  take<T>(key: string, step: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const now = before.then(step, step);
    this.#last.set(key, now);
    const over = (): void => {
      if (this.#last.get(key) === now) this.#last.delete(key);
    };
    now.then(over, over);
    return now;
  }
}
