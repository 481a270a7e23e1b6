import { unifyTypes } from '../conversion-rules.ts';
import { LimitError, maxValueSize } from '../limits.ts';
import { dynamicType, setType, type Type, tupleType } from '../type.ts';
import { asItems, isSequence, listValue, setValue, tupleValue, type Value, valuesEqual } from '../value.ts';
import { converted } from './collections.ts';
import { any, typed, variadic } from './define.ts';
import { FunctionError, type HclFunction, wrongType } from './function.ts';

const set = (name: string): ReturnType<typeof typed> => typed(name, setType(dynamicType));
const elementOf = (value: Value): Type => (value.type as { element: Type }).element;

/** The sets with elements of one type. */
function unified(args: readonly Value[]): { sets: (readonly Value[])[]; element: Type } {
  const filled = args.filter((arg) => asItems(arg).length > 0 || elementOf(arg).kind !== 'dynamic');
  const element = filled.length === 0 ? dynamicType : unifyTypes(filled.map(elementOf));
  if (element === undefined) throw new FunctionError('the elements of the sets must have a common type');
  const sets = args.map((arg) => asItems(converted(setValue(asItems(arg), elementOf(arg)), setType(element))));
  return { sets, element };
}

function intersection(args: readonly Value[]): Value {
  const { sets, element } = unified(args);
  const [first, ...others] = sets;
  const kept = first!.filter((item) => others.every((other) => other.some((match) => valuesEqual(item, match))));
  return setValue(kept, element);
}

function union(args: readonly Value[]): Value {
  const { sets, element } = unified(args);
  return setValue(sets.flat(), element);
}

/** One factor of a product: its items with one type. */
function factor(value: Value, argument: number): { items: readonly Value[]; element: Type } {
  if (!isSequence(value.type)) throw wrongType(argument, 'a list, set or tuple', value);
  if (value.type.kind !== 'tuple') return { items: asItems(value), element: elementOf(value) };
  const items = asItems(value);
  const element = items.length === 0 ? dynamicType : unifyTypes(value.type.elements);
  if (element === undefined) throw new FunctionError('all elements must have a common type', argument);
  return { items: items.map((item) => converted(item, element, argument)), element };
}

function product(args: readonly Value[]): Value {
  if (args.length < 2) throw new FunctionError('at least two sets or lists are required');
  const factors = args.map(factor);
  const element = tupleType(factors.map((item) => item.element));
  const count = factors.reduce((total, { items }) => total * items.length, 1);
  if (count * factors.length > maxValueSize) throw new LimitError(`a product of ${count} elements`);
  let rows: (readonly Value[])[] = [[]];
  for (const { items } of factors) rows = rows.flatMap((row) => items.map((item) => [...row, item]));
  const tuples = rows.map(tupleValue);
  return args.some((arg) => arg.type.kind === 'set') ? setValue(tuples, element) : listValue(tuples, element);
}

export const setFunctions: Readonly<Record<string, HclFunction>> = {
  setintersection: variadic('The elements that all sets hold.', [set('first_set')], set('other_sets'), intersection),
  setunion: variadic('The elements of all sets.', [set('first_set')], set('other_sets'), union),
  setproduct: variadic('All combinations of elements of the sets.', [], any('sets'), product),
};
