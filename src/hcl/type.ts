/** The type of a value. `dynamic` is the type of what is not known yet, and of a bare `null`. */
export type Type =
  | { readonly kind: 'string' | 'number' | 'bool' | 'dynamic' | 'type' }
  | { readonly kind: 'list' | 'set' | 'map'; readonly element: Type }
  | { readonly kind: 'tuple'; readonly elements: readonly Type[] }
  | ObjectType;

export interface ObjectType {
  readonly kind: 'object';
  /** By name, in the order of the names. */
  readonly attributes: ReadonlyMap<string, Type>;
  /** Names that a value to convert may lack; never part of a value's own type. */
  readonly optional?: ReadonlySet<string> | undefined;
}

export const stringType: Type = { kind: 'string' };
export const numberType: Type = { kind: 'number' };
export const boolType: Type = { kind: 'bool' };
export const dynamicType: Type = { kind: 'dynamic' };
/** The type of a type: what the second argument of `convert` is. */
export const typeType: Type = { kind: 'type' };
export const listType = (element: Type): Type => ({ kind: 'list', element });
export const setType = (element: Type): Type => ({ kind: 'set', element });
export const mapType = (element: Type): Type => ({ kind: 'map', element });
export const tupleType = (elements: readonly Type[]): Type => ({ kind: 'tuple', elements });
export const objectType = (attributes: ReadonlyMap<string, Type>, optional?: ReadonlySet<string>): Type =>
  optional === undefined || optional.size === 0
    ? { kind: 'object', attributes }
    : { kind: 'object', attributes, optional };

export const isPrimitive = (type: Type): boolean =>
  type.kind === 'string' || type.kind === 'number' || type.kind === 'bool';

export function typesEqual(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  if ('element' in a) return typesEqual(a.element, (b as typeof a).element);
  if (a.kind === 'tuple') {
    const other = (b as typeof a).elements;
    return a.elements.length === other.length && a.elements.every((type, i) => typesEqual(type, other[i]!));
  }
  if (a.kind !== 'object') return true;
  const other = b as ObjectType;
  if (a.attributes.size !== other.attributes.size || (a.optional?.size ?? 0) !== (other.optional?.size ?? 0))
    return false;
  for (const [name, type] of a.attributes) {
    const otherType = other.attributes.get(name);
    if (otherType === undefined || !typesEqual(type, otherType)) return false;
    if ((a.optional?.has(name) ?? false) !== (other.optional?.has(name) ?? false)) return false;
  }
  return true;
}

/** True when some part of the type is `dynamic`. */
export function hasDynamic(type: Type): boolean {
  if (type.kind === 'dynamic') return true;
  if ('element' in type) return hasDynamic(type.element);
  if (type.kind === 'tuple') return type.elements.some(hasDynamic);
  if (type.kind === 'object') return [...type.attributes.values()].some(hasDynamic);
  return false;
}

/** The type that a value has after a conversion to `type`: nothing in it is optional any more. */
export function withoutOptional(type: Type): Type {
  if ('element' in type) return { kind: type.kind, element: withoutOptional(type.element) };
  if (type.kind === 'tuple') return tupleType(type.elements.map(withoutOptional));
  if (type.kind !== 'object') return type;
  return objectType(new Map([...type.attributes].map(([name, inner]) => [name, withoutOptional(inner)])));
}

/** As a type expression writes it: `list(string)`, `object({"a":number})`. */
export function typeText(type: Type): string {
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'map':
      return `${type.kind}(${typeText(type.element)})`;
    case 'tuple':
      return `tuple([${type.elements.map(typeText).join(',')}])`;
    case 'object': {
      const parts = [...type.attributes].map(([name, inner]) => `${JSON.stringify(name)}:${typeText(inner)}`);
      return `object({${parts.join(',')}})`;
    }
    default:
      return type.kind;
  }
}

/** For messages: "list of string", "object", "tuple". */
export function typeName(type: Type): string {
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'map':
      return `${type.kind} of ${typeName(type.element)}`;
    case 'dynamic':
      return 'any type';
    default:
      return type.kind;
  }
}
