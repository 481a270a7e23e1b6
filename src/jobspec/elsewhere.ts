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

/** Where the names that a noun's block does not have belong, seen from it: in a block below it, or one around it; by name. */
function placesElsewhere(noun: Noun): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const note = (place: Place, said: (name: string) => string) => {
    for (const [, field] of inside(place.noun)) {
      const { name } = field.hcl!;
      if (!found.has(name)) found.set(name, said(name));
    }
  };
  for (const place of placesBelow({ noun, block: '', around: [] })) {
    if (place.around.length > 2) break;
    if (place.around.length > 0) note(place, (name) => `"${name}" belongs in the block "${place.block}".`);
  }
  const here = [...placesBelow(top)].find((place) => place.noun === noun);
  for (const outer of here?.around.toReversed() ?? [])
    note(outer, (name) => `"${name}" belongs in the block "${outer.block}" around this one.`);
  return found;
}

let namesOfFile: ReadonlyMap<string, string> | undefined;

/** The same of one name, seen from the top of the file. */
export function whereInFile(name: string): string | undefined {
  namesOfFile ??= new Map(
    [...placesBelow(top)]
      .toReversed()
      .flatMap((place) =>
        inside(place.noun).map(([, { hcl }]) => [hcl!.name, `"${hcl!.name}" belongs in the block "${place.block}".`]),
      ),
  );
  return namesOfFile.get(name);
}

const schemas = new Map<Noun, BodySchema>();

/** `bodySchema` that knows where names belong that it does not have. */
export function hintingSchema(noun: Noun): BodySchema {
  let schema = schemas.get(noun);
  if (schema === undefined) {
    let places: ReadonlyMap<string, string> | undefined;
    const elsewhere = (name: string) => {
      places ??= placesElsewhere(noun);
      return places.get(name);
    };
    schema = { ...bodySchema(noun), elsewhere };
    schemas.set(noun, schema);
  }
  return schema;
}
