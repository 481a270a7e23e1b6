import { compareText } from '../lib/order.ts';
import { deepEqual } from './deep-equal.ts';
import type { DiffType, FieldDiff, ObjectDiff } from './job-diff.ts';
import { hiddenFields, itemNames, keyedBy, objectOrder, shownWhenSet } from './job-diff-rules.ts';
import type { Field, Noun } from './schema.ts';

export type Row = { readonly [key: string]: unknown };

export interface Parts {
  readonly fields: readonly FieldDiff[];
  readonly objects: readonly ObjectDiff[];
}

/** Differences of two rows of one noun; null where there is none. `contextual`: unchanged fields are shown beside changed ones. */
export function nounParts(
  noun: Noun,
  before: Row | null,
  after: Row | null,
  contextual: boolean,
  topLevel = false,
): Parts {
  const hidden = new Set(hiddenFields[noun.name] ?? []);
  const rows = Object.entries(noun.fields).filter(([name, field]) => !hidden.has(name) && field.only !== 'input');
  const fields = rows.flatMap(([name, field]) => {
    const both = [before?.[name], after?.[name]] as const;
    if (shownWhenSet.has(`${noun.name}.${name}`) && !both[0] && !both[1]) return [];
    return flatFields(field, name, both, [before !== null, after !== null], contextual && !topLevel);
  });
  const order = objectOrder[noun.name] ?? [];
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  const objects = rows
    .filter(([, field]) => isNested(field))
    .sort(([a], [b]) => rank(a) - rank(b))
    .flatMap(([name, field]) =>
      nestedDiffs(noun, name, field, before?.[name] ?? null, after?.[name] ?? null, contextual),
    );
  return { fields: sortByName(fields), objects };
}

const isTextMap = (field: Field<unknown>) => field.kind === 'map' && field.item?.kind === 'string';
const isNested = (field: Field<unknown>) => ['list', 'map', 'object', 'any'].includes(field.kind) && !isTextMap(field);

/** A scalar is one field; a map of texts is one field per key, `Meta[team]`. */
function flatFields(
  field: Field<unknown>,
  name: string,
  [old, now]: readonly [unknown, unknown],
  present: readonly [boolean, boolean],
  contextual: boolean,
): readonly FieldDiff[] {
  if (isTextMap(field))
    return mapFields((old ?? {}) as Row, (now ?? {}) as Row, (key) => `${name}[${key}]`, contextual);
  if (isNested(field)) return [];
  const text = (value: unknown, there: boolean) => (there ? fieldText(field, value) : '');
  const diff = fieldDiff(name, text(old, present[0]), text(now, present[1]), contextual);
  const unset = field.nullable && old == null && now == null;
  return diff === null || unset ? [] : [diff];
}

export function mapFields(
  before: Row,
  after: Row,
  name: (key: string) => string,
  contextual: boolean,
): readonly FieldDiff[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => {
    const diff = fieldDiff(name(key), plainText(before[key]), plainText(after[key]), contextual);
    return diff === null ? [] : [diff];
  });
}

function fieldText(field: Field<unknown>, value: unknown): string {
  if (value !== undefined && value !== null) return plainText(value);
  if (field.nullable) return '';
  return field.kind === 'bool' ? 'false' : ['int', 'float', 'duration'].includes(field.kind) ? '0' : '';
}

function plainText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}

export function fieldDiff(Name: string, Old: string, New: string, contextual: boolean): FieldDiff | null {
  if (Old === New) return contextual ? { Type: 'None', Name, Old, New, Annotations: null } : null;
  const Type: DiffType = Old === '' ? 'Added' : New === '' ? 'Deleted' : 'Edited';
  return { Type, Name, Old, New, Annotations: null };
}

export function sortByName(fields: readonly FieldDiff[]): readonly FieldDiff[] {
  return fields.toSorted((a, b) => compareText(a.Name, b.Name));
}

export const orNull = <T>(items: readonly T[]): readonly T[] | null => (items.length === 0 ? null : items);

function nestedDiffs(
  owner: Noun,
  name: string,
  field: Field<unknown>,
  old: unknown,
  now: unknown,
  contextual: boolean,
): readonly ObjectDiff[] {
  if (deepEqual(old ?? null, now ?? null)) return [];
  const title = itemNames[`${owner.name}.${name}`] ?? itemNames[name] ?? name;
  if (field.kind === 'object')
    return present(objectDiff(field.noun!, title, old as Row | null, now as Row | null, contextual));
  const item = field.item;
  if (field.kind === 'list' && item?.kind === 'object') {
    const key = keyedBy[`${owner.name}.${name}`];
    const lists = [(old ?? []) as readonly Row[], (now ?? []) as readonly Row[]] as const;
    return key === undefined
      ? setDiff(item.noun!, title, lists, contextual)
      : keyedDiff(item.noun!, title, rowsBy(lists[0], key), rowsBy(lists[1], key), contextual);
  }
  if (field.kind === 'list')
    return present(
      textSetDiff(title, (old ?? []) as readonly unknown[], (now ?? []) as readonly unknown[], contextual),
    );
  if (item?.kind === 'object') {
    const maps = [old, now].map((value) => new Map(Object.entries((value ?? {}) as { [key: string]: Row })));
    return keyedDiff(item.noun!, title, maps[0]!, maps[1]!, contextual);
  }
  return present(freeDiff(title, old, now, contextual));
}

const present = (diff: ObjectDiff | null): readonly ObjectDiff[] => (diff === null ? [] : [diff]);
const rowsBy = (rows: readonly Row[], key: string) => new Map(rows.map((row) => [String(row[key]), row]));

function change(before: unknown, after: unknown): DiffType {
  return before == null ? 'Added' : after == null ? 'Deleted' : 'Edited';
}

export function objectDiff(
  noun: Noun,
  Name: string,
  before: Row | null,
  after: Row | null,
  contextual: boolean,
): ObjectDiff | null {
  if (deepEqual(before ?? null, after ?? null)) return null;
  const { fields, objects } = nounParts(noun, before ?? null, after ?? null, contextual);
  return { Type: change(before, after), Name, Fields: orNull(fields), Objects: orNull(objects) };
}

/** Rows without a name: one that changed is a deleted and an added one. */
function setDiff(
  noun: Noun,
  title: string,
  [before, after]: readonly [readonly Row[], readonly Row[]],
  contextual: boolean,
): readonly ObjectDiff[] {
  const gone = before.filter((row) => !after.some((other) => deepEqual(row, other)));
  const come = after.filter((row) => !before.some((other) => deepEqual(row, other)));
  const diffs = [
    ...come.map((row) => objectDiff(noun, title, null, row, contextual)),
    ...gone.map((row) => objectDiff(noun, title, row, null, contextual)),
  ];
  return diffs.filter((diff) => diff !== null);
}

function keyedDiff(
  noun: Noun,
  title: string,
  before: ReadonlyMap<string, Row>,
  after: ReadonlyMap<string, Row>,
  contextual: boolean,
): readonly ObjectDiff[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
  return keys.flatMap((key) =>
    present(objectDiff(noun, title, before.get(key) ?? null, after.get(key) ?? null, contextual)),
  );
}

/** A list of texts is shown as a set: one field per text. */
function textSetDiff(
  title: string,
  before: readonly unknown[],
  after: readonly unknown[],
  contextual: boolean,
): ObjectDiff | null {
  const old = new Set(before.map(plainText));
  const now = new Set(after.map(plainText));
  const fields = [...new Set([...old, ...now])].sort().flatMap((text) => {
    const diff = fieldDiff(title, old.has(text) ? text : '', now.has(text) ? text : '', contextual);
    return diff === null ? [] : [diff];
  });
  if (!fields.some(({ Type }) => Type !== 'None')) return null;
  const types = new Set(fields.map(({ Type }) => Type));
  const Type: DiffType = types.size === 1 ? fields[0]!.Type : 'Edited';
  return { Type, Name: title, Fields: fields, Objects: null };
}

/** Free-form JSON, flattened: `args[0]`, `logging[0][type]`. */
function freeDiff(title: string, old: unknown, now: unknown, contextual: boolean): ObjectDiff | null {
  const fields = mapFields(flatten(old), flatten(now), (key) => key, contextual);
  const type = change(old, now);
  return { Type: type, Name: title, Fields: orNull(sortByName(fields)), Objects: null };
}

function flatten(value: unknown): Row {
  const result: [string, string][] = [];
  const walk = (each: unknown, path: string) => {
    if (each === null || each === undefined) return;
    if (Array.isArray(each)) for (const [index, item] of each.entries()) walk(item, `${path}[${index}]`);
    else if (typeof each === 'object')
      for (const [key, item] of Object.entries(each)) walk(item, path === '' ? key : `${path}[${key}]`);
    else result.push([path, String(each)]);
  };
  walk(value, '');
  return Object.fromEntries(result);
}
