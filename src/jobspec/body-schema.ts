import type { BodySchema } from '../hcl/index.ts';
import { Job } from '../model/job.ts';
import { ScalingPolicy } from '../model/scaling-policy.ts';
import { block, blocks, type Field, list, type Noun, nullable, object } from '../model/schema.ts';
import { Secret } from '../model/secret.ts';
import { Task } from '../model/task.ts';
import { TaskGroup } from '../model/task-group.ts';
import { Vault } from '../model/vault.ts';

/** A row that a job file may write although the noun has no such field: `normalize` moves it where it belongs. */
export type ExtraRows = { readonly [name: string]: Field<unknown> };

const vault = nullable(object(Vault, { hcl: block('vault') }));
const secrets = nullable(list(object(Secret), { hcl: blocks('secret') }));

/** Blocks that are accepted above the place where they are stored. */
const extras = new Map<Noun, ExtraRows>([
  [Job, { Vault: vault, Secrets: secrets, Tasks: nullable(list(object(Task), { hcl: blocks('task') })) }],
  [TaskGroup, { Vault: vault, Secrets: secrets }],
]);

const extraRows = (noun: Noun): ExtraRows => extras.get(noun) ?? {};

/** Shorthand attributes of constraints and affinities, in the order in which they are applied: the last one wins. */
export const constraintShorthands = [
  'version',
  'semver',
  'regexp',
  'set_contains',
  'distinct_hosts',
  'distinct_property',
];
export const affinityShorthands = [
  'version',
  'semver',
  'regexp',
  'set_contains_any',
  'set_contains_all',
  'set_contains',
];
const ignoredShorthands = ['set_contains_all', 'set_contains_any', 'is_set', 'is_not_set'];

/** The fields of a noun that a job file can write, its extra rows among them. */
export function writtenRows(noun: Noun): readonly (readonly [string, Field<unknown>])[] {
  let rows = writable.get(noun);
  if (rows === undefined) {
    const all = [...Object.entries(noun.fields), ...Object.entries(extraRows(noun))];
    rows = all.filter(([, field]) => field.only !== 'canonical');
    writable.set(noun, rows);
  }
  return rows;
}

const writable = new Map<Noun, readonly (readonly [string, Field<unknown>])[]>();

const schemas = new Map<Noun, BodySchema>();

/** What the body of a noun's block may hold, in the words of the HCL library. */
export function bodySchema(noun: Noun): BodySchema {
  let schema = schemas.get(noun);
  if (schema === undefined) {
    schema = makeSchema(noun);
    schemas.set(noun, schema);
  }
  return schema;
}

function makeSchema(noun: Noun): BodySchema {
  const attributes: { name: string; required?: boolean }[] = [];
  const types: { type: string; labelNames?: readonly string[] }[] = [];
  for (const [, field] of writtenRows(noun)) {
    const { hcl } = field;
    if (hcl === undefined || hcl.form === 'label') continue;
    if (hcl.form === 'attribute') attributes.push({ name: hcl.name, ...(hcl.required ? { required: true } : {}) });
    else types.push({ type: hcl.name, labelNames: labelsOf(field, noun) });
    if (hcl.form === 'mapping') attributes.push({ name: hcl.name });
  }
  for (const name of shorthandsOf(noun)) attributes.push({ name });
  return { attributes, blocks: types };
}

export function shorthandsOf(noun: Noun): readonly string[] {
  if (noun.name === 'Constraint') return [...new Set([...constraintShorthands, ...ignoredShorthands])];
  return noun.name === 'Affinity' ? affinityShorthands : [];
}

/** Names of the labels of a block: a noun has at most one, and a task's scaling block says there what it scales. */
export function labelsOf(field: Field<unknown>, owner: Noun): readonly string[] {
  const noun = field.noun ?? field.item?.noun;
  if (noun === undefined) return [];
  if (owner === Task && noun === ScalingPolicy) return ['name'];
  return labelField(noun) === undefined ? [] : ['name'];
}

/** The field that a block's label is stored in. */
function labelField(noun: Noun): string | undefined {
  return Object.keys(noun.fields).find((name) => noun.fields[name]!.hcl?.form === 'label');
}
