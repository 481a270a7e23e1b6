import { asText, isYamlMap, type Yaml } from './read-compose.ts';

export interface ComposePort {
  readonly label: string;
  /** On the node; none: the scheduler chooses. */
  readonly fixed: number | undefined;
  /** Inside of the container. */
  readonly to: number;
}

const mostPorts = 100;

/** The ports of a service; what cannot be said in a job is told to `note`. */
export function portsOf(
  service: { readonly [key: string]: Yaml },
  note: (key: string, reason: string) => void,
): ComposePort[] {
  const found = new Map<string, ComposePort>();
  const add = (to: number, fixed: number | undefined): void => {
    const label = found.has(`p${to}`) && fixed !== undefined ? `p${to}_${fixed}` : `p${to}`;
    if (found.size < mostPorts) found.set(label, { label, fixed, to });
  };
  for (const [index, port] of list(service['ports']).entries()) {
    const key = `ports[${index}]`;
    const { target, published, host, protocol } = isYamlMap(port) ? longForm(port) : shortForm(asText(port));
    if (host !== '' && host !== '0.0.0.0')
      note(key, `the address ${host} is chosen with "host_network" of a port, not by number`);
    if (protocol !== '' && protocol !== 'tcp') note(key, `a port of a job is open for ${protocol} and tcp`);
    for (const name of isYamlMap(port) ? Object.keys(port) : [])
      if (!['target', 'published', 'host_ip', 'protocol'].includes(name))
        note(`${key}.${name}`, name === 'mode' ? 'each port is one of its node' : 'has no like in a job');
    const [inside, outside] = [range(target), published === '' ? [] : range(published)];
    if (inside === undefined || outside === undefined)
      note(key, `${JSON.stringify(asText(port))} is no port that is understood here`);
    else for (const [i, to] of inside.entries()) add(to, outside[i]);
    if (inside !== undefined && inside.length > mostPorts) note(key, `more than ${mostPorts} ports`);
  }
  for (const port of list(service['expose'])) {
    const inside = range(asText(port).replace(/\/.*/, ''));
    for (const to of inside ?? []) if (![...found.values()].some((other) => other.to === to)) add(to, undefined);
  }
  return [...found.values()];
}

const list = (value: Yaml | undefined): readonly Yaml[] => (Array.isArray(value) ? (value as readonly Yaml[]) : []);

interface Written {
  readonly target: string;
  readonly published: string;
  readonly host: string;
  readonly protocol: string;
}

function longForm(port: { readonly [key: string]: Yaml }): Written {
  const text = (key: string): string => asText(port[key]);
  return { target: text('target'), published: text('published'), host: text('host_ip'), protocol: text('protocol') };
}

/** `[[HOST:][PUBLISHED]:]TARGET[/PROTOCOL]` */
function shortForm(text: string): Written {
  const match = /^(?:(?:(\[[^\]]*\]|[\d.]+):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text);
  return { target: match?.[3] ?? '', published: match?.[2] ?? '', host: match?.[1] ?? '', protocol: match?.[4] ?? '' };
}

/** `80` or `80-82`; undefined for anything else. */
function range(text: string): number[] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2] ?? match[1])];
  if (end < start || start < 1 || end > 65_535) return undefined;
  return Array.from({ length: Math.min(end - start + 1, mostPorts + 1) }, (_, i) => start + i);
}
