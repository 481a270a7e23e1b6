/**
 * Driver settings in the older spelling, `client { options { "driver.raw_exec.enable" = "1" } }`: what they mean as `plugin` blocks, and
 * a warning each that prints the block. A `plugin` block that says something itself wins. Pure.
 */
import type { AgentConfig } from './config.ts';

type Plugins = AgentConfig['plugins'];
type Value = string | boolean | number | readonly string[] | { readonly [key: string]: Value };

interface Legacy {
  readonly plugin: string;
  /** Where in the block's `config`: `['gc', 'image']`. */
  readonly path: readonly string[];
  /** Null: what is written is no such value. */
  readonly read: (text: string) => Value | null;
}

const text = (value: string): Value => value;
const bool = (value: string): Value | null =>
  /^(1|t|true)$/i.test(value) ? true : /^(0|f|false)$/i.test(value) ? false : null;
const list = (value: string): readonly string[] =>
  value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

const docker = (path: string, read: Legacy['read'] = text): Legacy => ({
  plugin: 'docker',
  path: path.split('.'),
  read,
});

/** Source: the driver settings that Nomad 0.9 and later still read from client options. */
const legacyOptions: Readonly<Record<string, Legacy>> = {
  'docker.endpoint': docker('endpoint'),
  'docker.auth.config': docker('auth.config'),
  'docker.auth.helper': docker('auth.helper'),
  'docker.tls.cert': docker('tls.cert'),
  'docker.tls.key': docker('tls.key'),
  'docker.tls.ca': docker('tls.ca'),
  'docker.cleanup.image': docker('gc.image', bool),
  'docker.cleanup.image.delay': docker('gc.image_delay'),
  'docker.cleanup.container': docker('gc.container', bool),
  'docker.volumes.enabled': docker('volumes.enabled', bool),
  'docker.volumes.selinuxlabel': docker('volumes.selinuxlabel'),
  'docker.caps.allowlist': docker('allow_caps', list),
  'docker.caps.whitelist': docker('allow_caps', list),
  'docker.privileged.enabled': docker('allow_privileged', bool),
  'docker.nvidia_runtime': docker('nvidia_runtime'),
  'driver.raw_exec.enable': { plugin: 'raw_exec', path: ['enabled'], read: bool },
  'driver.raw_exec.no_cgroups': { plugin: 'raw_exec', path: ['no_cgroups'], read: bool },
  'driver.rkt.volumes.enabled': { plugin: 'rkt', path: ['volumes_enabled'], read: bool },
};

/** Lists of drivers, under their names of all ages: which of this program's are off, then. The client goes by the option itself. */
const lists: Readonly<Record<string, (named: readonly string[], builtIn: readonly string[]) => readonly string[]>> = {
  'driver.allowlist': others,
  'driver.whitelist': others,
  'driver.denylist': (named) => named,
  'driver.blacklist': (named) => named,
};

/** An empty list allows all. */
function others(named: readonly string[], builtIn: readonly string[]): readonly string[] {
  return named.length === 0 ? [] : builtIn.filter((each) => !named.includes(each));
}

const everyFact = 'is not read: every fact of a host is found out and told';

/** Of no driver: what there is to know of them. */
const notOfDrivers: Readonly<Record<string, string>> = {
  'user.blacklist': 'is called "user.denylist" now: write that',
  'env.blacklist': 'is called "env.denylist" now: write that',
  'fingerprint.allowlist': everyFact,
  'fingerprint.whitelist': everyFact,
  'fingerprint.denylist': everyFact,
  'fingerprint.blacklist': everyFact,
};

export interface LegacyOptions {
  /** The `plugin` blocks with what the options add. */
  readonly plugins: Plugins;
  readonly warnings: readonly string[];
}

/** `builtIn`: the names of this program's drivers. */
export function applyLegacyOptions(
  options: Readonly<Record<string, string>>,
  plugins: Plugins,
  builtIn: readonly string[],
): LegacyOptions {
  const warnings: string[] = [];
  const result: Record<string, Plugins[string]> = { ...plugins };
  for (const [name, value] of Object.entries(options)) {
    const off = lists[name];
    const legacy = legacyOptions[name];
    const known = notOfDrivers[name];
    if (known !== undefined) warnings.push(`client option "${name}" ${known}`);
    else if (off !== undefined) warnings.push(switchedOff(name, off(list(value), builtIn)));
    else if (name.startsWith('driver.lxc.')) warnings.push(lxc(name));
    else if (legacy !== undefined) {
      const { plugin, path } = legacy;
      const read = legacy.read(value);
      if (read === null) {
        const block = `plugin "${plugin}" { config ${hcl(nest(path, true))} }`;
        warnings.push(
          `client option "${name}" is not read: ${JSON.stringify(value)} is neither true nor false; write ${block} or the same with false`,
        );
        continue;
      }
      const meant = nest(path, read);
      const unread = unreadOptions.has(name) ? '; this version does not read it' : '';
      warnings.push(
        `client option "${name}" is read as plugin "${plugin}" { config ${hcl(meant)} }: write that${unread}`,
      );
      if (unread !== '') continue;
      const given = result[plugin];
      result[plugin] = { ...pluginDefaults, ...given, config: under(given?.config, meant) };
    } else if (/^(docker|driver)\./.test(name))
      warnings.push(`client option "${name}" is not known: write what it means in a plugin block`);
  }
  return { plugins: result, warnings };
}

/** Gone from the drivers themselves. */
const unreadOptions: ReadonlySet<string> = new Set(['driver.raw_exec.no_cgroups', 'driver.rkt.volumes.enabled']);

/** Settings of a plugin block that names only its options. */
export const pluginDefaults: Omit<Plugins[string], 'config'> = {
  enabled: true,
  args: [],
  checksum: '',
  autoMtls: false,
  callTimeout: 30e9,
  startTimeout: 3_600e9,
};

function switchedOff(name: string, drivers: readonly string[]): string {
  if (drivers.length === 0) return `client option "${name}" leaves every driver on: leave it out`;
  const blocks = drivers.map((each) => `plugin "${each}" { enabled = false }`);
  // what plugin_dir holds is not known here
  const externals = lists[name] === others ? ', and the same for each plugin of plugin_dir that it does not name' : '';
  return `client option "${name}" is read as ${blocks.join(' ')}: write that${externals}`;
}

function lxc(name: string): string {
  return (
    `client option "${name}" is not read: lxc is an external driver. Put its program nomad-driver-lxc (examples/plugins/lxc) into plugin_dir and configure it ` +
    `with plugin "nomad-driver-lxc" { config { enabled = true } }`
  );
}

function nest(path: readonly string[], value: Value): { readonly [key: string]: Value } {
  const [first = '', ...rest] = path;
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
}

/** What the block itself says wins; blocks of one name, which parse as lists, are met as they are. */
function under(given: unknown, meant: { readonly [key: string]: Value }): unknown {
  const own = (given ?? {}) as { readonly [key: string]: unknown };
  const added = Object.entries(meant).map(([key, value]) => {
    const there = Array.isArray(own[key]) && own[key].length === 1 ? own[key][0] : own[key];
    if (there === undefined) return [key, value] as const;
    const both = isTree(there) && isTree(value);
    return [key, both ? under(there, value as { readonly [key: string]: Value }) : own[key]] as const;
  });
  return { ...own, ...Object.fromEntries(added) };
}

function isTree(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `{ gc { image = true } }` */
function hcl(value: { readonly [key: string]: Value }): string {
  const entries = Object.entries(value).map(([key, each]) =>
    isTree(each) ? `${key} ${hcl(each as { readonly [key: string]: Value })}` : `${key} = ${JSON.stringify(each)}`,
  );
  return `{ ${entries.join(' ')} }`;
}
