import { compareText } from '../lib/order.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import { type CallExpression, type Expression, unwrapScope } from './syntax.ts';
import { boolType, dynamicType, numberType, objectType, stringType, type Type, tupleType } from './type.ts';

export interface TypeConstraintOptions {
  /** Take `any`, and attributes that are `optional(…)`. Without it an exact type is required. */
  readonly open?: boolean;
}

/** The type that an expression like `list(object({ a = string }))` names; `dynamic` where it names none. */
export function parseTypeConstraint(
  expr: Expression,
  options: TypeConstraintOptions = {},
): { readonly type: Type; readonly diagnostics: readonly Diagnostic[] } {
  const reader = new TypeReader(options.open === true);
  const type = reader.read(expr);
  return { type, diagnostics: reader.diagnostics };
}

const names = ['string', 'number', 'bool', 'any', 'list', 'set', 'map', 'object', 'tuple'];
const argumentOf: Readonly<Record<string, string>> = {
  list: 'the type of its elements',
  set: 'the type of its elements',
  map: 'the type of its elements',
  object: 'an object of attribute names and types',
  tuple: 'a list of types',
};

/** A bare word, or nothing. */
export function asKeyword(expr: Expression): string | undefined {
  const inner = unwrapScope(expr);
  if (inner.kind === 'variable' && inner.steps.length === 0) return inner.name;
  if (inner.kind !== 'literal' || inner.range.file === undefined) return undefined;
  const { data, state, type } = inner.value;
  if (state === 'null') return 'null';
  return type.kind === 'bool' ? String(data) : undefined;
}

class TypeReader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #open: boolean;

  constructor(open: boolean) {
    this.#open = open;
  }

  #refuse(range: SourceRange, detail: string): Type {
    this.diagnostics.push(errorAt(range, 'Invalid type specification', detail));
    return dynamicType;
  }

  read(given: Expression): Type {
    const expr = unwrapScope(given);
    const keyword = asKeyword(expr);
    if (keyword !== undefined) return this.#keyword(keyword, expr.range);
    if (expr.kind !== 'call') {
      return this.#refuse(expr.range, 'a type is a word like string, number or bool, or a call like list(string)');
    }
    const { name, args } = expr;
    if (name === 'bool' || name === 'string' || name === 'number' || name === 'any') {
      return this.#refuse(expr.openRange.to(expr.closeRange), `${name} takes no arguments`);
    }
    const wanted = argumentOf[name];
    if (wanted !== undefined && args.length !== 1) {
      const range = args.length === 0 ? expr.openRange.to(expr.closeRange) : args[1]!.range.to(args.at(-1)!.range);
      return this.#refuse(range, `${name} takes one argument: ${wanted}`);
    }
    return this.#complex(expr, name);
  }

  #keyword(keyword: string, range: SourceRange): Type {
    switch (keyword) {
      case 'bool':
        return boolType;
      case 'string':
        return stringType;
      case 'number':
        return numberType;
      case 'any':
        return this.#open
          ? dynamicType
          : this.#refuse(range, 'an exact type is required here, so "any" cannot be used');
      default: {
        const wanted = argumentOf[keyword];
        if (wanted !== undefined) return this.#refuse(range, `${keyword} takes one argument: ${wanted}`);
        return this.#refuse(range, `${JSON.stringify(keyword)} is no type.${suggestion(keyword, names)}`);
      }
    }
  }

  #complex(call: CallExpression, name: string): Type {
    const argument = call.args[0];
    switch (name) {
      case 'list':
      case 'set':
      case 'map':
        return { kind: name, element: this.read(argument!) };
      case 'object':
        return this.#object(unwrapScope(argument!));
      case 'tuple': {
        const items = unwrapScope(argument!);
        if (items.kind !== 'tuple') return this.#refuse(items.range, `tuple takes one argument: ${argumentOf[name]}`);
        return tupleType(items.items.map((item) => this.read(item)));
      }
      case 'optional':
        return this.#refuse(call.nameRange, '"optional" can only mark the attributes of an object type');
      default:
        return this.#refuse(call.range, `${JSON.stringify(name)} makes no type.${suggestion(name, names)}`);
    }
  }

  #object(expr: Expression): Type {
    if (expr.kind !== 'object') return this.#refuse(expr.range, `object takes one argument: ${argumentOf['object']}`);
    const attributes = new Map<string, Type>();
    const optional = new Set<string>();
    for (const item of expr.items) {
      const name = objectKey(item.key);
      if (name === undefined) {
        this.#refuse(item.key.range, 'the keys of an object type are plain names');
      } else if (attributes.has(name)) {
        this.#refuse(item.key.range, `${JSON.stringify(name)} was given already`);
      } else {
        const inner = this.#optional(item.value, name, optional);
        if (inner !== undefined) attributes.set(name, this.read(inner));
      }
    }
    const sorted = new Map([...attributes].sort(([a], [b]) => compareText(a, b)));
    return objectType(sorted, optional);
  }

  /** The type inside `optional(…)`, and the expression itself without it. */
  #optional(given: Expression, name: string, optional: Set<string>): Expression | undefined {
    const expr = unwrapScope(given);
    if (expr.kind !== 'call' || expr.name !== 'optional') return expr;
    const range = expr.openRange.to(expr.closeRange);
    if (expr.args.length === 0) {
      this.#refuse(range, 'optional takes the type of the attribute');
      return undefined;
    }
    if (!this.#open) this.#refuse(expr.nameRange, 'an exact type is required here, so "optional" cannot be used');
    else if (expr.args.length > 1) this.#refuse(range, 'optional takes one argument: the type of the attribute');
    else optional.add(name);
    return expr.args[0];
  }
}

function objectKey(expr: Expression): string | undefined {
  return asKeyword(expr);
}
