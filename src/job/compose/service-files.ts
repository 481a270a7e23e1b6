import { asText, isYamlMap, type Yaml, type YamlMap } from './read-compose.ts';

/** A secret or config of a service: rendered by a template, and mounted where the container looks for it. */
export interface ComposeFile {
  /** Where the template puts it, in the task's directory. */
  readonly destination: string;
  /** In the container. */
  readonly target: string;
  readonly perms: string | undefined;
  /** A file beside the Compose file, or the text itself. */
  readonly content: { readonly path: string } | { readonly text: string };
}

/** An `env_file` of a service. */
export interface EnvironmentFile {
  readonly path: string;
}

type Note = (key: string, reason: string) => void;

/** The secrets and configs of a service that have a like in a job; the others are told to `note`. */
export function filesOf(service: YamlMap, top: YamlMap, note: Note): ComposeFile[] {
  return (['secrets', 'configs'] as const).flatMap((kind) => {
    const [given, all] = [service[kind], top[kind]];
    return (Array.isArray(given) ? (given as readonly Yaml[]) : []).flatMap((entry) => {
      const long = isYamlMap(entry) ? entry : {};
      const name = asText(long['source'] ?? entry);
      const content = contentOf(isYamlMap(all) ? all[name] : undefined);
      if (content === undefined) note(`${kind}.${name}`, 'only those from a file, or written out, are taken over');
      for (const key of Object.keys(long))
        if (!['source', 'target', 'mode'].includes(key)) note(`${kind}.${name}.${key}`, 'has no like in a job');
      return content === undefined ? [] : [{ ...placeOf(kind, name, long), content }];
    });
  });
}

function contentOf(definition: Yaml | undefined): ComposeFile['content'] | undefined {
  if (!isYamlMap(definition)) return undefined;
  if (definition['file'] !== undefined) return { path: asText(definition['file']) };
  return definition['content'] === undefined ? undefined : { text: asText(definition['content']) };
}

function placeOf(kind: 'secrets' | 'configs', name: string, long: YamlMap): Omit<ComposeFile, 'content'> {
  const target = asText(long['target']) || name;
  const mode = long['mode'];
  return {
    destination: `${kind === 'secrets' ? 'secrets' : 'local'}/${name}`,
    target: target.startsWith('/') ? target : `${kind === 'secrets' ? '/run/secrets' : ''}/${target}`,
    // written as an octal number, `0400`; the YAML of today reads it as a decimal one
    perms: mode === undefined ? undefined : asText(mode).padStart(4, '0'),
  };
}

/** The files of environment variables of a service, in their order. */
export function environmentFilesOf(service: YamlMap, note: Note): EnvironmentFile[] {
  const given = service['env_file'];
  const files = Array.isArray(given)
    ? (given as readonly Yaml[])
    : given === undefined || given === null
      ? []
      : [given];
  return files.map((entry, index) => {
    if (!isYamlMap(entry)) return { path: asText(entry) };
    for (const key of Object.keys(entry))
      if (key === 'required') note(`env_file[${index}].${key}`, 'the job is not made where the file is not there');
      else if (key !== 'path') note(`env_file[${index}].${key}`, 'has no like in a job');
    return { path: asText(entry['path']) };
  });
}
