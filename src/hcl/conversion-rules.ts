import {
  dynamicType,
  isPrimitive,
  listType,
  mapType,
  type ObjectType,
  objectType,
  setType,
  type Type,
  tupleType,
  typeName,
  typesEqual,
} from './type.ts';

/** True when values of type `from` may be converted to `to`; `unsafe` ones may still fail for a single value. */
export function canConvert(from: Type, to: Type, unsafe: boolean): boolean {
  if (typesEqual(from, to) || to.kind === 'dynamic') return true;
  if (from.kind === 'dynamic') return unsafe;
  if (isPrimitive(from) && isPrimitive(to)) {
    return to.kind === 'string' ? true : unsafe && from.kind === 'string';
  }
  switch (to.kind) {
    case 'object':
      if (from.kind === 'object') return objectFits(from, to, unsafe);
      return from.kind === 'map' && unsafe && mapFits(from.element, to);
    case 'tuple':
      return (
        from.kind === 'tuple' &&
        from.elements.length === to.elements.length &&
        to.elements.every((type, i) => canConvert(from.elements[i]!, type, unsafe))
      );
    case 'list':
    case 'set':
      if (from.kind === 'tuple')
        return (
          partsFit(from.elements, to.element, unsafe) &&
          !(to.element.kind === 'dynamic' && staysOpen(from.elements, unsafe))
        );
      if (from.kind === 'list' && to.kind === 'set' && !unsafe) return false;
      return (from.kind === 'list' || from.kind === 'set') && canConvert(from.element, to.element, unsafe);
    case 'map':
      if (from.kind === 'object') return partsFit([...from.attributes.values()], to.element, unsafe);
      return from.kind === 'map' && canConvert(from.element, to.element, unsafe);
    default:
      return false;
  }
}

function objectFits(from: ObjectType, to: ObjectType, unsafe: boolean): boolean {
  for (const [name, wanted] of to.attributes) {
    const own = from.attributes.get(name);
    if (own === undefined ? !to.optional?.has(name) : !canConvert(own, wanted, unsafe)) return false;
  }
  return true;
}

function mapFits(element: Type, to: ObjectType): boolean {
  for (const [name, wanted] of to.attributes) {
    if (!canConvert(element, wanted, true) && !to.optional?.has(name)) return false;
  }
  return true;
}

function partsFit(parts: readonly Type[], element: Type, unsafe: boolean): boolean {
  if (parts.length === 0) return true;
  let target: Type | undefined = element;
  if (element.kind === 'dynamic') {
    target = unifyTypes(parts, unsafe);
    if (target === undefined) return false;
  }
  return parts.every((part) => canConvert(part, target!, unsafe));
}

/** Some elements have a type and some have none: no list can hold them as they are. A map can. */
const staysOpen = (parts: readonly Type[], unsafe: boolean): boolean =>
  parts.some((part) => part.kind !== 'dynamic') && unifyTypes(parts, unsafe)?.kind === 'dynamic';

/** In words why a value of one type cannot become another. */
export function mismatch(from: Type, to: Type): string {
  if (from.kind === 'object' && to.kind === 'object') {
    for (const [name, wanted] of to.attributes) {
      const own = from.attributes.get(name);
      if (own === undefined && !to.optional?.has(name)) return `attribute ${JSON.stringify(name)} is required`;
      if (own !== undefined && !canConvert(own, wanted, true)) {
        return `attribute ${JSON.stringify(name)}: ${mismatch(own, wanted)}`;
      }
    }
  }
  if (from.kind === 'tuple' && to.kind === 'tuple' && from.elements.length !== to.elements.length) {
    return `a tuple of ${to.elements.length} elements is required, and this has ${from.elements.length}`;
  }
  if ((to.kind === 'list' || to.kind === 'set' || to.kind === 'map') && to.element.kind === 'dynamic') {
    const fits = to.kind === 'map' ? from.kind === 'object' : from.kind === 'tuple';
    if (fits) return 'all elements must have one type';
  }
  const part = wrongPart(from, to);
  if (part !== undefined) return part;
  const bracketed = (to.kind === 'list' || to.kind === 'set') && canConvert(from, to.element, true);
  const hint = bracketed ? '; write it in brackets: [ ]' : '';
  return `${withArticle(to)} is required, and this is ${withArticle(from)}${hint}`;
}

const withArticle = (type: Type): string =>
  type.kind === 'dynamic' ? typeName(type) : `${type.kind === 'object' ? 'an' : 'a'} ${typeName(type)}`;

/** The same of the first part of a list or map that is the reason. */
function wrongPart(from: Type, to: Type): string | undefined {
  if (to.kind === 'map' && from.kind === 'object') {
    for (const [name, own] of from.attributes)
      if (!canConvert(own, to.element, true)) return `${JSON.stringify(name)}: ${mismatch(own, to.element)}`;
  }
  if ((to.kind === 'list' || to.kind === 'set') && from.kind === 'tuple') {
    const at = from.elements.findIndex((own) => !canConvert(own, to.element, true));
    if (at >= 0) return `element ${at}: ${mismatch(from.elements[at]!, to.element)}`;
  }
  return undefined;
}

/** How good a common type is: the one that all the others can become comes first. */
const rank = (type: Type): number => {
  if (type.kind === 'dynamic') return 3;
  if (type.kind === 'string' || type.kind === 'list' || type.kind === 'map') return 0;
  return type.kind === 'set' ? 1 : 2;
};

const byRank = (a: Type, b: Type): number =>
  rank(a) - rank(b) || (a.kind === b.kind && 'element' in a && 'element' in b ? byRank(a.element, b.element) : 0);

/**
 * The type that values of all these types can be converted to; nothing when there is none. Objects of different
 * attributes become maps, tuples of different length lists.
 */
export function unifyTypes(types: readonly Type[], unsafe = true): Type | undefined {
  const first = types[0];
  if (first === undefined) return undefined;
  if (types.every((type) => typesEqual(type, first))) return first;
  const kinds = new Set(types.map((type) => type.kind));
  const dynamic = kinds.delete('dynamic');
  const only = kinds.size === 1 ? [...kinds][0] : undefined;
  if (only !== undefined && !isPrimitive({ kind: only } as Type) && dynamic) return dynamicType;
  if (only === 'list' || only === 'set' || only === 'map') return unifyCollections(types, only, unsafe);
  if (only === 'object') return unifyObjects(types as ObjectType[], unsafe);
  if (only === 'tuple') return unifyTuples(types as Extract<Type, { kind: 'tuple' }>[], unsafe);
  if (kinds.has('object') && kinds.has('tuple')) return undefined;
  if (kinds.size === 2 && ((kinds.has('map') && kinds.has('object')) || (kinds.has('list') && kinds.has('tuple')))) {
    const mixed = unifyMixed(types, kinds.has('map'), unsafe);
    if (mixed !== undefined) return mixed;
  }
  return [...types].sort(byRank).find((wanted) => types.every((type) => canConvert(type, wanted, unsafe)));
}

/** `type`, when all the types can become it. */
const ifAllFit = (types: readonly Type[], type: Type, unsafe: boolean): Type | undefined =>
  types.every((from) => canConvert(from, type, unsafe)) ? type : undefined;

function unifyCollections(types: readonly Type[], kind: 'list' | 'set' | 'map', unsafe: boolean): Type | undefined {
  const element = unifyTypes(
    types.map((type) => ('element' in type ? type.element : dynamicType)),
    unsafe,
  );
  return element === undefined ? undefined : ifAllFit(types, { kind, element }, unsafe);
}

function unifyObjects(types: readonly ObjectType[], unsafe: boolean): Type | undefined {
  const first = types[0]!;
  const names = [...first.attributes.keys()];
  const same = types.every(
    (type) => type.attributes.size === names.length && names.every((name) => type.attributes.has(name)),
  );
  if (!same) return unifyToMap(types, unsafe);
  const attributes = new Map<string, Type>();
  for (const name of names) {
    const common = unifyTypes(
      types.map((type) => type.attributes.get(name)!),
      unsafe,
    );
    if (common === undefined) return undefined;
    attributes.set(name, common);
  }
  return ifAllFit(types, objectType(attributes), unsafe) ?? unifyToMap(types, unsafe);
}

function unifyToMap(types: readonly ObjectType[], unsafe: boolean): Type | undefined {
  const element = unifyTypes(
    types.flatMap((type) => [...type.attributes.values()]),
    unsafe,
  );
  return element === undefined ? undefined : ifAllFit(types, mapType(element), unsafe);
}

function unifyTuples(types: readonly Extract<Type, { kind: 'tuple' }>[], unsafe: boolean): Type | undefined {
  const first = types[0]!;
  if (!types.every((type) => type.elements.length === first.elements.length)) return unifyToList(types, unsafe);
  const items: Type[] = [];
  for (let i = 0; i < first.elements.length; i++) {
    const common = unifyTypes(
      types.map((type) => type.elements[i]!),
      unsafe,
    );
    if (common === undefined) return undefined;
    items.push(common);
  }
  return ifAllFit(types, tupleType(items), unsafe) ?? unifyToList(types, unsafe);
}

function unifyToList(types: readonly Extract<Type, { kind: 'tuple' }>[], unsafe: boolean): Type | undefined {
  const element = unifyTypes(
    types.flatMap((type) => type.elements),
    unsafe,
  );
  return element === undefined ? undefined : ifAllFit(types, listType(element), unsafe);
}

/** Maps among objects, or lists among tuples: the objects become one map first. */
function unifyMixed(types: readonly Type[], maps: boolean, unsafe: boolean): Type | undefined {
  const common = maps
    ? unifyToMap(
        types.filter((type) => type.kind === 'object'),
        unsafe,
      )
    : unifyToList(
        types.filter((type) => type.kind === 'tuple'),
        unsafe,
      );
  if (common === undefined) return undefined;
  const result = unifyTypes(
    types.map((type) => (type.kind === 'object' || type.kind === 'tuple' ? common : type)),
    unsafe,
  );
  return result?.kind === common.kind ? result : undefined;
}

/** The type of a null or unknown value after its conversion: what `to` leaves open is taken from `from`. */
export function dynamicReplace(from: Type, to: Type): Type {
  if (from.kind === 'dynamic') return to;
  if (to.kind === 'dynamic') return from;
  switch (to.kind) {
    case 'map': {
      if (from.kind === 'map') return mapType(dynamicReplace(from.element, to.element));
      const common = from.kind === 'object' ? unifyTypes([...from.attributes.values()]) : undefined;
      return common === undefined ? to : mapType(dynamicReplace(common, to.element));
    }
    case 'list':
    case 'set': {
      const wrap = to.kind === 'list' ? listType : setType;
      if (from.kind === 'list' || from.kind === 'set') return wrap(dynamicReplace(from.element, to.element));
      const common = from.kind === 'tuple' ? unifyTypes(from.elements) : undefined;
      return common === undefined ? to : wrap(dynamicReplace(common, to.element));
    }
    case 'object': {
      const attributes = new Map<string, Type>();
      for (const [name, wanted] of to.attributes) {
        const own = from.kind === 'map' ? from.element : from.kind === 'object' ? from.attributes.get(name) : undefined;
        attributes.set(name, own === undefined ? wanted : dynamicReplace(own, wanted));
      }
      return objectType(attributes);
    }
    case 'tuple':
      if (from.kind !== 'tuple') return to;
      return tupleType(
        to.elements.map((wanted, i) => (from.elements[i] ? dynamicReplace(from.elements[i], wanted) : wanted)),
      );
    default:
      return to;
  }
}
