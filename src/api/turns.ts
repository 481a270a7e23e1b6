/**
 * Long work takes turns: whoever has computed for some milliseconds waits for its next turn, one turn per round of the event loop,
 * so that no amount of lists or woken queries keeps sockets waiting.
 */
const sliceMs = 5;
const waiting: (() => void)[] = [];
let scheduled = false;

/** Resolves in a later round of the event loop, after all who asked before. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (!scheduled) schedule();
  });
}

function schedule(): void {
  scheduled = true;
  setImmediate(() => {
    const resolve = waiting.shift();
    scheduled = false;
    resolve?.();
    if (waiting.length > 0 && !scheduled) schedule();
  });
}

/** Asks now and then whether the slice of time is used up. */
export class Turn {
  #until = performance.now() + sliceMs;

  get isOver(): boolean {
    return performance.now() > this.#until;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#until = performance.now() + sliceMs;
  }
}
