/** A job in the API's JSON before it is sent: the server names a field that is wrong, and here it also has its place. */
import { type Diagnostic, errorAt, type JsonNode, type JsonProperty, parseJson, suggestion } from '../hcl/index.ts';
import { Job } from '../model/job.ts';
import type { Field, Noun } from '../model/schema.ts';

/**
 * Fields of the wrong kind as errors, fields that nobody reads as warnings, of a job that stands alone or under `Job`. A text that is no JSON
 * has none: what reads it says so.
 */
export function checkJobJson(text: string, filename: string): readonly Diagnostic[] {
  const { body, diagnostics } = parseJson(text, filename);
  if (diagnostics.length > 0 || body.json?.kind !== 'object') return [];
  const wrapped = body.json.properties.find(({ name }) => name === 'Job')?.value;
  const found: Diagnostic[] = [];
  checkNoun(Job, wrapped ?? body.json, found);
  return found;
}

function checkNoun(noun: Noun, node: JsonNode, found: Diagnostic[]): void {
  if (node.kind !== 'object') return;
  for (const property of node.properties) {
    const name = fieldName(noun, property.name);
    if (name === undefined) found.push(unread(noun, property));
    else checkField(noun.fields[name]!, property.value, JSON.stringify(property.name), found);
  }
}

/** Exactly, else without regard to case, as the server reads them. */
function fieldName(noun: Noun, given: string): string | undefined {
  if (Object.hasOwn(noun.fields, given)) return given;
  return Object.keys(noun.fields).find((name) => name.toLowerCase() === given.toLowerCase());
}

function unread(noun: Noun, { name, nameRange }: JsonProperty): Diagnostic {
  const detail = `no field of a ${noun.name} is named ${JSON.stringify(name)}: nobody reads it.${suggestion(name, Object.keys(noun.fields))}`;
  return { ...errorAt(nameRange, 'Unknown field', detail), severity: 'warning' };
}

function checkField(field: Field<unknown>, node: JsonNode, what: string, found: Diagnostic[]): void {
  if (node.kind === 'null' || field.kind === 'any') return;
  const [kind, words] = kinds[field.kind];
  if (node.kind !== kind || (field.kind !== 'float' && node.kind === 'number' && !isWhole(node.text))) {
    const is = node.kind === 'number' ? `the number ${node.text}` : `${articles[node.kind] ?? 'a'} ${node.kind}`;
    found.push(errorAt(node.range, 'Unsuitable value type', `${what} takes ${words}, and this is ${is}`));
  } else if (node.kind === 'array') {
    for (const item of node.items) checkField(field.item!, item, `an element of ${what}`, found);
  } else if (node.kind === 'object' && field.kind === 'map') {
    for (const { name, value } of node.properties) checkField(field.item!, value, JSON.stringify(name), found);
  } else if (node.kind === 'object') checkNoun(field.noun!, node, found);
}

const isWhole = (text: string): boolean => Number.isInteger(Number(text));
const articles: { readonly [kind: string]: string } = { array: 'an', object: 'an' };

const kinds: { readonly [kind in Exclude<Field<unknown>['kind'], 'any'>]: readonly [JsonNode['kind'], string] } = {
  string: ['string', 'a text'],
  time: ['string', 'a time as text'],
  bytes: ['string', 'base64 as text'],
  bool: ['bool', 'true or false'],
  int: ['number', 'a whole number'],
  duration: ['number', 'a whole number of nanoseconds'],
  float: ['number', 'a number'],
  list: ['array', 'a list'],
  map: ['object', 'an object'],
  object: ['object', 'an object'],
};
