/** A programmer's error: the program is wrong, not its input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks a branch that the types rule out; the compiler refuses the call where they do not. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
