/** Most evaluation steps of one budget; a file's attributes share one when their context has it. */
export const maxSteps = 4_000_000;
/** Largest value, in elements; 16 bytes of text count as one. */
export const maxValueSize = 2_000_000;

/** Thrown inside the evaluator when input asks for too much, and turned into a diagnostic at its edge. */
export class LimitError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'LimitError';
  }
}

/** What evaluation may still cost. */
export class Budget {
  #left: number;
  readonly #limit: number;

  constructor(steps: number = maxSteps) {
    this.#left = steps;
    this.#limit = steps;
  }

  /** Spends the steps, or says that there are not so many. */
  trySpend(steps: number): boolean {
    if (this.#left < steps) return false;
    this.#left -= steps;
    return true;
  }

  /** Throws `LimitError` when the steps are used up. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new LimitError(`more than ${this.#limit} evaluation steps`);
  }
}
