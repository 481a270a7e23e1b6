import { asText, isYamlMap, type Yaml, type YamlMap } from './read-compose.ts';

export interface ComposeMount {
  readonly kind: 'volume' | 'bind' | 'tmpfs';
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What is mounted into a service; what cannot be said in a job is told to `note`. */
export function mountsOf(service: YamlMap, note: (key: string, reason: string) => void): ComposeMount[] {
  const volumes = Array.isArray(service['volumes']) ? (service['volumes'] as readonly Yaml[]) : [];
  const found = volumes.flatMap((volume, index) => {
    const key = `volumes[${index}]`;
    const mount = isYamlMap(volume) ? longForm(volume, key, note) : shortForm(asText(volume), key, note);
    if (mount === undefined)
      note(key, `${JSON.stringify(asText(volume))}: a volume without a name has no like in a job`);
    if (mount?.kind === 'bind' && /^\.\.?(\/|$)/.test(mount.source)) note(key, relative(mount.source));
    return mount ?? [];
  });
  const tmpfs = service['tmpfs'];
  const targets = Array.isArray(tmpfs)
    ? (tmpfs as readonly Yaml[])
    : tmpfs === undefined || tmpfs === null
      ? []
      : [tmpfs];
  return [
    ...found,
    ...targets.map((given): ComposeMount => {
      const [target = '', options = ''] = asText(given).split(':');
      if (options !== '') note('tmpfs', `${JSON.stringify(options)}: options of a mount are not taken over`);
      return { kind: 'tmpfs', source: '', target, readOnly: false };
    }),
  ];
}

function longForm(volume: YamlMap, key: string, note: (key: string, reason: string) => void): ComposeMount | undefined {
  const known = new Set(['type', 'source', 'src', 'target', 'dst', 'destination', 'read_only']);
  for (const name of Object.keys(volume))
    if (!known.has(name)) note(`${key}.${name}`, 'options of a mount are not taken over');
  const kind = asText(volume['type']) || 'volume';
  const source = asText(volume['source'] ?? volume['src']);
  const target = asText(volume['target'] ?? volume['dst'] ?? volume['destination']);
  if ((kind !== 'volume' && kind !== 'bind' && kind !== 'tmpfs') || (kind !== 'tmpfs' && source === ''))
    return undefined;
  return { kind, source, target, readOnly: volume['read_only'] === true };
}

const relative = (source: string): string =>
  `${JSON.stringify(source)} is looked for in the allocation's directory, not beside the Compose file: write an absolute path`;

/** `SOURCE:TARGET[:MODE]`; a source that is a path is a directory of the node. */
function shortForm(text: string, key: string, note: (key: string, reason: string) => void): ComposeMount | undefined {
  const [source = '', target, mode = ''] = text.split(/:(?![-?+])/);
  if (target === undefined) return undefined;
  const kind = /^[./~$]/.test(source) ? 'bind' : 'volume';
  const modes = mode.split(',').filter((one) => one !== '' && one !== 'rw' && one !== 'ro');
  if (modes.length > 0) note(key, `the mode ${modes.join(',')} is not taken over`);
  return { kind, source, target, readOnly: mode.split(',').includes('ro') };
}
