import type { BodySchema } from '../hcl/index.ts';
import { Job } from '../model/job.ts';
import type { Noun } from '../model/schema.ts';
import { bodySchema, writtenRows } from './body-schema.ts';

/** A noun of the job file by a way to it: the nouns around it, and what its block is called. */
interface Place {
  readonly noun: Noun;
  readonly block: string;
  readonly around: readonly Place[];
}

const inside = (noun: Noun) => writtenRows(noun).filter(([, { hcl }]) => hcl !== undefined && hcl.form !== 'label');
const has = (noun: Noun, name: string): boolean => inside(noun).some(([, field]) => field.hcl!.name === name);

/** The nouns below one, nearest first, each once. */
function* placesBelow(start: Place): Iterable<Place> {
  const seen = new Set<Noun>();
  const open = [start];
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    if (seen.has(at.noun)) continue;
    seen.add(at.noun);
    yield at;
    for (const [, field] of inside(at.noun)) {
      const noun = field.noun ?? field.item?.noun;
      if (noun !== undefined) open.push({ noun, block: field.hcl!.name, around: [...at.around, at] });
    }
  }
}

const top: Place = { noun: Job, block: 'job', around: [] };

/** Where an attribute or block of this name belongs, seen from the block of `noun`: in one below it, or one around it. */
function whereElse(noun: Noun, name: string): string | undefined {
  for (const place of placesBelow({ noun, block: '', around: [] })) {
    if (place.around.length > 2) break;
    if (place.around.length > 0 && has(place.noun, name)) return `"${name}" belongs in the block "${place.block}".`;
  }
  for (const place of placesBelow(top)) {
    if (place.noun !== noun) continue;
    const outer = place.around.findLast((one) => has(one.noun, name));
    return outer && `"${name}" belongs in the block "${outer.block}" around this one.`;
  }
  return undefined;
}

/** The same, seen from the top of the file. */
export function whereInFile(name: string): string | undefined {
  for (const place of placesBelow(top))
    if (has(place.noun, name)) return `"${name}" belongs in the block "${place.block}".`;
  return undefined;
}

const schemas = new Map<Noun, BodySchema>();

/** `bodySchema` that knows where names belong that it does not have. */
export function hintingSchema(noun: Noun): BodySchema {
  let schema = schemas.get(noun);
  if (schema === undefined) {
    schema = { ...bodySchema(noun), elsewhere: (name) => whereElse(noun, name) };
    schemas.set(noun, schema);
  }
  return schema;
}
