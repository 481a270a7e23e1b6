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
  type Value,
} from '../hcl/index.ts';

/**
 * The values of all `locals` blocks. They may refer to each other in any order; of a name that is written twice the last
 * counts. Those that go in a circle, or fail, are left out and reported.
 */
export function evaluateLocals(
  blocks: readonly Block[],
  context: EvalContext,
  diagnostics: Diagnostic[],
): ReadonlyMap<string, Value> {
  const pending = new Map<string, Attribute>();
  for (const block of blocks) {
    const { attributes, diagnostics: found } = justAttributes(block.body);
    diagnostics.push(...found);
    for (const attribute of attributes.values()) pending.set(attribute.name, attribute);
  }
  const needs = new Map([...pending].map(([name, attribute]) => [name, localsIn(attribute)]));
  const values = new Map<string, Value>();
  let [size, full] = [1, false];
  while (pending.size > 0) {
    const free = [...pending.values()].filter(({ name }) => !needs.get(name)!.some((other) => pending.has(other)));
    const ready = free.length > 0 ? free : [...pending.values()];
    const scope: EvalContext = { parent: context, variables: new Map([['local', objectValue(values)]]) };
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
  return values;
}

/** Names of the locals that an expression needs. */
function localsIn(attribute: Attribute): readonly string[] {
  return referencedVariables(attribute.expr).flatMap(({ name, steps: [first] }) => {
    if (name !== 'local' || first === undefined) return [];
    if (first.kind === 'attribute') return [first.name];
    return typeof first.key.data === 'string' ? [first.key.data] : [];
  });
}
