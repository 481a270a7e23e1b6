import {
  type Attribute,
  type Block,
  type Diagnostic,
  type EvalContext,
  errorAt,
  evaluate,
  findBudget,
  justAttributes,
  maxValueSize,
  objectValue,
  referencedVariables,
  suggestion,
  type Value,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';

/** The values by name, and what to say of a name that has none. */
export interface Locals {
  readonly values: ReadonlyMap<string, Value>;
  readonly missing: NonNullable<EvalContext['missing']>;
}

/**
 * The values of all `locals` blocks. They may refer to each other in any order; of a name that is written twice the last
 * counts. Those that go in a circle, or fail, are left out and reported.
 */
export function evaluateLocals(blocks: readonly Block[], context: EvalContext, diagnostics: Diagnostic[]): Locals {
  const pending = new Map<string, Attribute>();
  for (const block of blocks) {
    const { attributes, diagnostics: found } = justAttributes(block.body);
    append(diagnostics, found);
    for (const attribute of attributes.values()) pending.set(attribute.name, attribute);
  }
  const references = new Map([...pending].map(([name, attribute]) => [name, localsIn(attribute)]));
  const needs = new Map([...references].map(([name, { names }]) => [name, names]));
  const order = new Order(needs);
  const values = new Map<string, Value>();
  const circle = new Set<string>();
  const missing: Locals['missing'] = (name, attribute) => {
    if (name !== 'local') return undefined;
    if (circle.has(attribute)) {
      const names = [...circle].map((one) => `local.${one}`).join(', ');
      return { detail: `these locals need each other in a circle: ${names}` };
    }
    if (needs.has(attribute)) return { detail: `the value of local.${attribute} has a problem of its own`, echo: true };
    return { detail: `there is no local "${attribute}".${suggestion(attribute, needs.keys())}` };
  };
  let [size, full] = [1, false];
  while (pending.size > 0) {
    const free = order.next();
    const ready = free.length > 0 ? free : [...pending.keys()];
    if (free.length === 0 && pending.size < 1000) for (const name of inCircle(pending.keys(), needs)) circle.add(name);
    let all: Value | undefined;
    const done: [string, Value][] = [];
    for (const name of ready) {
      const attribute = pending.get(name)!;
      const { names, whole } = references.get(name)!;
      // What names its locals sees those alone: making the object of all of them anew for each takes time with the square of their count.
      if (whole && all === undefined) {
        findBudget(context)?.spend(values.size);
        all = objectValue(values);
      }
      const local = whole ? all! : objectValue(present(values, names));
      const result = evaluate(attribute.expr, { parent: context, variables: new Map([['local', local]]), missing });
      append(diagnostics, result.diagnostics);
      if (result.diagnostics.length > 0) continue;
      size += result.value.size;
      if (size < maxValueSize) done.push([name, result.value]);
      else if (!full) {
        full = true;
        diagnostics.push(
          errorAt(attribute.range, 'Locals too large', `all locals together have more than ${maxValueSize} elements`),
        );
      }
    }
    for (const name of ready) pending.delete(name);
    for (const [name, value] of done) values.set(name, value);
    order.settle(ready);
  }
  circle.clear();
  return { values, missing };
}

/** Of names that wait for each other those that need themselves, straight or by way of others. */
function inCircle(waiting: Iterable<string>, needs: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return [...waiting].filter((name) => {
    const seen = new Set<string>();
    const open = [...(needs.get(name) ?? [])];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (at === name) return true;
      if (seen.has(at)) continue;
      seen.add(at);
      append(open, needs.get(at) ?? []);
    }
    return false;
  });
}

/** Names in the order in which they can be had, each in time with what it needs. */
class Order {
  readonly #waiting = new Map<string, number>();
  readonly #dependents = new Map<string, string[]>();
  #free: string[] = [];

  constructor(needs: ReadonlyMap<string, readonly string[]>) {
    for (const [name, others] of needs) {
      const known = new Set(others.filter((other) => needs.has(other)));
      this.#waiting.set(name, known.size);
      if (known.size === 0) this.#free.push(name);
      for (const other of known) {
        const dependents = this.#dependents.get(other);
        if (dependents === undefined) this.#dependents.set(other, [name]);
        else dependents.push(name);
      }
    }
  }

  /** Those that wait for nothing any more; none when all that are left wait for each other. */
  next(): readonly string[] {
    const free = this.#free;
    this.#free = [];
    return free;
  }

  settle(names: readonly string[]): void {
    for (const name of names) {
      for (const dependent of this.#dependents.get(name) ?? []) {
        const left = this.#waiting.get(dependent)! - 1;
        this.#waiting.set(dependent, left);
        if (left === 0) this.#free.push(dependent);
      }
    }
  }
}

function present(values: ReadonlyMap<string, Value>, names: readonly string[]): Map<string, Value> {
  const found = new Map<string, Value>();
  for (const name of names) {
    const value = values.get(name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** Names of the locals that an expression needs; `whole` when it may look at any of them. */
function localsIn(attribute: Attribute): { readonly names: readonly string[]; readonly whole: boolean } {
  const names: string[] = [];
  let whole = false;
  for (const { name, steps } of referencedVariables(attribute.expr)) {
    if (name !== 'local') continue;
    const [first] = steps;
    if (first?.kind === 'attribute') names.push(first.name);
    else if (first !== undefined && typeof first.key.data === 'string') names.push(first.key.data);
    else whole = true;
  }
  return { names, whole };
}
