/** Options of Nomad's former driver `rkt` as those of `podman`, as far as they map. Pure. Source: Nomad 0.9's documentation of its rkt driver. */
import { option } from './config-schema.ts';

const texts = (doc: string) => option.list(option.string(), { doc });

export const rktSchema = {
  image: option.string({ required: true, doc: 'Name, also with "docker://" before it.' }),
  command: option.string({ default: '', doc: "What to run in place of the image's own." }),
  args: texts('Its arguments.'),
  trust_prefix: option.string({
    default: '',
    doc: 'Has no effect: what images are signed by is the policy of podman.',
  }),
  insecure_options: texts('Have no effect.'),
  dns_servers: texts('Name servers.'),
  dns_search_domains: texts('Domains that short names are looked for in.'),
  net: texts('"host", "none", "default", or the name of a network.'),
  port_map: option.map(option.string(), { doc: 'Port label to a port of the image: "8080-tcp".' }),
  volumes: texts('"source:target[:ro]".'),
  no_overlay: option.bool({ default: false, doc: 'Has no effect.' }),
  debug: option.bool({ default: false, doc: 'Has no effect.' }),
  group: option.string({
    default: '',
    doc: 'The group it runs as: not translated, say `user = "name:group"` in the task.',
  }),
} as const;

export interface Translated {
  /** Of `podman`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `network { dns { … } }` of the group: podman's tasks have none of their own. */
  readonly dns: { readonly servers: readonly string[]; readonly searches: readonly string[] };
  /** What does not map: it cannot run so. One clause each. */
  readonly problems: readonly string[];
  /** What is left out without harm. */
  readonly left: readonly string[];
}

type Config = Readonly<Record<string, unknown>>;

/** Of a `config` as the job has it, or decoded; what is not of the right type is left as it is, for podman to refuse. */
export function rktToPodman(given: Config): Translated {
  const problems: string[] = [];
  const list = (name: string): readonly string[] => (Array.isArray(given[name]) ? (given[name] as string[]) : []);
  const ports = portMap(mapOf(given['port_map']), problems);
  const config = {
    image: imageName(given['image'], problems),
    // rkt's command takes the place of all that the image would run
    ...(isSet(given['command']) ? { entrypoint: [given['command']] } : {}),
    ...(list('args').length === 0 ? {} : { args: list('args') }),
    ...network(list('net'), problems),
    ...(Object.keys(ports).length === 0 ? {} : { port_map: ports }),
    ...(list('volumes').length === 0 ? {} : { volumes: list('volumes') }),
  };
  if (isSet(given['group'])) problems.push('group has no counterpart: say `user = "name:group"` in the task');
  const left = ['trust_prefix', 'insecure_options', 'no_overlay', 'debug'].filter((name) => isSet(given[name]));
  return { config, dns: { servers: list('dns_servers'), searches: list('dns_search_domains') }, problems, left };
}

function isSet(value: unknown): boolean {
  return (
    value !== undefined &&
    value !== null &&
    value !== '' &&
    value !== false &&
    !(Array.isArray(value) && value.length === 0)
  );
}

function imageName(image: unknown, problems: string[]): unknown {
  if (typeof image !== 'string') return image;
  if (/^(https?|file):|^\/|\.aci$/.test(image))
    problems.push(`image ${JSON.stringify(image)} is an image of rkt's own format: podman takes names of a registry`);
  return image.replace(/^docker:\/\//, '');
}

function network(names: readonly string[], problems: string[]): Config {
  const [first, ...more] = names;
  if (more.length > 0) problems.push(`net names ${names.length} networks: podman's network_mode takes one`);
  if (first === undefined) return {};
  return { network_mode: first === 'default' ? 'bridge' : first };
}

/** As a map, or as a list of maps, as a block gives it. */
function mapOf(value: unknown): Config {
  if (Array.isArray(value)) return Object.assign({}, ...value.filter((each) => typeof each === 'object'));
  return typeof value === 'object' && value !== null ? (value as Config) : {};
}

function portMap(ports: Config, problems: string[]): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [label, name] of Object.entries(ports)) {
    const number = /^(\d+)(-(tcp|udp))?$/.exec(String(name))?.[1];
    if (number === undefined)
      problems.push(`port_map ${label} = ${JSON.stringify(name)} names a port of an rkt image: give its number`);
    else found[label] = Number(number);
  }
  return found;
}

/** For people: what to write in place of `driver = "rkt"`. */
export function rktAdvice(given: Config): string {
  const { config, dns, problems, left } = rktToPodman(given);
  const lines = Object.entries(config).map(([name, value]) => `  ${name} = ${hcl(value)}`);
  const servers = dns.servers.length > 0 ? [`  servers = ${hcl(dns.servers)}`] : [];
  const searches = dns.searches.length > 0 ? [`  searches = ${hcl(dns.searches)}`] : [];
  const inGroup = [...servers, ...searches];
  return [
    'the project of rkt is archived; "podman" takes its place:',
    '',
    'driver = "podman"',
    'config {',
    ...lines,
    '}',
    ...(inGroup.length === 0 ? [] : ['', 'and in the network block of the group:', 'dns {', ...inGroup, '}']),
    ...problems.map((text) => `not translated: ${text}`),
    ...(left.length === 0 ? [] : [`left out: ${left.join(', ')}`]),
    '',
    'plugin "rkt" { config { translate = true } } on the nodes does this for jobs as they are.',
  ].join('\n');
}

function hcl(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(hcl).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, each]) => `${name} = ${hcl(each)}`)
    .join(', ')} }`;
}
