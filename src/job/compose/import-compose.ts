import { format } from '../../hcl/index.ts';
import { Expression, HclWriter, quoted } from './hcl-writer.ts';
import { Interpolation } from './interpolation.ts';
import { asText, isYamlMap, readCompose, type YamlMap } from './read-compose.ts';
import { ServiceWriter } from './service-writer.ts';

export interface ImportedJob {
  /** The text of the job file. */
  readonly hcl: string;
  /** What was left out or needs a look: `web.build: …`; the same lines are comments in the file. */
  readonly notes: readonly string[];
}

/**
 * A Compose file as a job: each service a group with one task of the docker driver. Every key that has no like in a job is named. Faults:
 * `invalid`, each problem with its place.
 */
export function importCompose(
  text: string,
  options: { readonly filename: string; readonly name: string },
): ImportedJob {
  const top = readCompose(text, options.filename);
  const interpolation = new Interpolation();
  const notes: string[] = [];
  const writer = new HclWriter(interpolation.quote);
  const services = Object.entries(top['services'] as YamlMap);
  writer.block(
    `job ${quoted(jobName(top, options.name))}`,
    () => {
      writer.attribute('type', 'service');
      for (const note of topNotes(top)) {
        writer.comment(`compose: ${note}`);
        notes.push(note);
      }
      for (const [name, service] of services) {
        const writes = new ServiceWriter(writer, name, isYamlMap(service) ? service : {}, top);
        writes.write();
        notes.push(...writes.notes);
      }
    },
    true,
  );
  notes.push(...interpolation.notes);
  return { hcl: format(head(options.filename, interpolation) + writer.text()), notes };
}

function jobName(top: YamlMap, otherwise: string): string {
  const name = asText(top['name']) || otherwise;
  return name.replace(/[\s\0]+/g, '-') || 'imported';
}

function head(filename: string, interpolation: Interpolation): string {
  const writer = new HclWriter(interpolation.quote);
  writer.comment(
    `Made from ${filename.replace(/[\r\n]/g, ' ')}. Lines that start with "compose:" name what has no like in a job, or needs a look.`,
  );
  for (const note of interpolation.notes) writer.comment(`compose: ${note}`);
  for (const [name, otherwise] of interpolation.variables) {
    writer.block(`variable "${name}"`, () => {
      writer.attribute('type', new Expression('string'));
      // The default stands as it is in the Compose file: it may not refer to other variables.
      if (otherwise !== undefined) writer.attribute('default', new Expression(quoted(otherwise)));
    });
  }
  writer.gap();
  return writer.text();
}

const reasons: { readonly [key: string]: string } = {
  networks: 'groups reach each other through services, not through named networks',
  volumes: 'a volume with a name has to be a host volume of the clients, or be registered as a dynamic or CSI volume',
};
const taken = new Set(['services', 'name', 'version', 'secrets', 'configs']);

function* topNotes(top: YamlMap): Iterable<string> {
  for (const key of Object.keys(top)) {
    if (key.startsWith('x-')) yield `${key}: stands where it is referred to, and nowhere else`;
    else if (!taken.has(key)) yield `${key}: ${reasons[key] ?? 'has no like in a job'}`;
    if (key === 'version') yield 'version: says nothing about a job';
  }
}
