/** The functions that specifications and tasks' options may use: fewer than job files have, and two of their own. */
import {
  asEntries,
  asItems,
  asNumber,
  asString,
  boolValue,
  dynamicType,
  FunctionError,
  type FunctionTable,
  type HclFunction,
  integerValue,
  isInteger,
  numberType,
  standardFunctions,
  truncate,
  type Value,
} from '../hcl/index.ts';

const shared = 'abs coalesce concat jsondecode jsonencode length lower max min reverse strlen substr upper'.split(' ');

const hasIndex: HclFunction = {
  description: 'Whether a collection has this index or key.',
  params: [
    { name: 'collection', type: dynamicType },
    { name: 'key', type: dynamicType },
  ],
  call: ([collection, key]) => boolValue(has(collection!, key!)),
};

function has(collection: Value, key: Value): boolean {
  const { kind } = collection.type;
  if (kind === 'map') return key.type.kind === 'string' && asEntries(collection).has(asString(key));
  if (kind !== 'list' && kind !== 'tuple') throw new FunctionError('a list, a map or a tuple is required', 0);
  if (key.type.kind !== 'number' || !isInteger(asNumber(key))) return false;
  const position = truncate(asNumber(key));
  return position !== undefined && position >= 0n && position < BigInt(asItems(collection).length);
}

const int: HclFunction = {
  description: 'The whole part of a number, toward zero.',
  params: [{ name: 'num', type: numberType }],
  call: ([number]) => {
    const whole = truncate(asNumber(number!));
    if (whole === undefined) throw new FunctionError('a finite number is required', 0);
    return integerValue(whole);
  },
};

export const specFunctions: FunctionTable = new Map([
  ...[...standardFunctions({})].filter(([name]) => shared.includes(name)),
  ['hasindex', hasIndex] as const,
  ['int', int] as const,
]);
