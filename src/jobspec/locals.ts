import {
  type Attribute,
  type Block,
  type Diagnostic,
  type EvalContext,
  errorAt,
  evaluate,
  justAttributes,
  maxValueSize,
  objectValue,
  referencedVariables,
  suggestion,
  type Value,
} from '../hcl/index.ts';

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
    diagnostics.push(...found);
    for (const attribute of attributes.values()) pending.set(attribute.name, attribute);
  }
  const needs = new Map([...pending].map(([name, attribute]) => [name, localsIn(attribute)]));
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
    const free = [...pending.values()].filter(({ name }) => !needs.get(name)!.some((other) => pending.has(other)));
    const ready = free.length > 0 ? free : [...pending.values()];
    if (free.length === 0 && pending.size < 1000) for (const name of inCircle(pending.keys(), needs)) circle.add(name);
    const scope: EvalContext = { parent: context, variables: new Map([['local', objectValue(values)]]), missing };
    for (const attribute of ready) {
      pending.delete(attribute.name);
      const result = evaluate(attribute.expr, scope);
      diagnostics.push(...result.diagnostics);
      if (result.diagnostics.length > 0) continue;
      size += result.value.size;
      if (size < maxValueSize) values.set(attribute.name, result.value);
      else if (!full) {
        full = true;
        diagnostics.push(
          errorAt(attribute.range, 'Locals too large', `all locals together have more than ${maxValueSize} elements`),
        );
      }
    }
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
      open.push(...(needs.get(at) ?? []));
    }
    return false;
  });
}

/** Names of the locals that an expression needs. */
function localsIn(attribute: Attribute): readonly string[] {
  return referencedVariables(attribute.expr).flatMap(({ name, steps: [first] }) => {
    if (name !== 'local' || first === undefined) return [];
    if (first.kind === 'attribute') return [first.name];
    return typeof first.key.data === 'string' ? [first.key.data] : [];
  });
}
