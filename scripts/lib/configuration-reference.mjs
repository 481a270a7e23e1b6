// docs/configuration.md, made from the table of settings (src/agent/settings.ts) and the defaults of src/agent/config-resolve.ts.

const kinds = {
  string: 'text',
  int: 'whole number',
  float: 'number',
  bool: 'true or false',
  duration: 'duration',
  strings: 'list of texts',
  map: 'map of texts',
  free: 'anything',
};

/** Where the configuration names a setting otherwise than the files do. */
const otherNames = {
  http_api_response_headers: 'responseHeaders',
  host_volume: 'hostVolumes',
  plugin: 'plugins',
  'tls.tls_min_version': 'tls.minVersion',
  'client.isolation.recheck_interval': 'client.isolationRecheckInterval',
  'client.isolation.subordinate_ids': 'client.isolationSubordinateIds',
  'client.isolation.disk_quota': 'client.isolationDiskQuota',
};

/** What is said instead of a default that no file sets. */
const spoken = {
  name: "the host's name",
  data_dir: 'none: must be set, unless `-dev`',
  plugin_dir: '`<data_dir>/plugins`',
  'client.alloc_dir': '`<data_dir>/alloc`',
  'client.state_dir': '`<data_dir>/client`',
  'client.cgroup_parent': '`"drover.slice"`',
  'client.servers': 'the server in this agent',
  'client.network_interface': 'the one of the default route',
  'client.cpu_total_compute': 'what is found',
  'client.memory_total_mb': 'what is found',
  'client.disk_total_mb': 'what is found',
  'client.disk_free_mb': 'what is found',
  'client.node_max_allocs': 'no limit',
  'client.host_volume.<name>.path': 'none: must be set',
  'client.chroot_env': 'the system directories',
  'addresses.http': '`bind_addr`',
  'advertise.http': 'the first address bound',
  'server.join_token': 'none: no other agent may join',
  'server.enabled': '`false`',
  'client.enabled': '`false`',
  'tls.http': '`false`',
  'plugin.<name>.enabled': '`true`',
  'plugin.<name>.args': 'empty',
  'plugin.<name>.config': '`{}`',
};

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/**
 * @param settings `agentSettings`
 * @param config what `resolveConfig` makes of files that only switch server, client and TLS on
 * @param devValues what `-dev` stands for
 * @param formatDuration nanoseconds → `"30s"`
 * @returns the text, and the settings said to be served for which `config` has no place: nobody can be reading them
 */
export function configurationReference(settings, config, devValues, formatDuration) {
  const unread = [];
  const rows = { served: [], later: [], refused: [] };
  for (const { name, setting, state } of leaves(settings, '', 'yes')) {
    if (state === 'later') rows.later.push(name);
    if (state === 'refused') rows.refused.push([`\`${name}\``, harmless(setting), setting.because]);
    if (state !== 'yes') continue;
    const value = valueAt(config, otherNames[name] ?? name.split('.').map(camel).join('.'));
    if (value === undefined && !/<name>|^(server|client|tls)\.(enabled|http)$/.test(name)) unread.push(name);
    rows.served.push([`\`${name}\``, kinds[setting.kind], spoken[name] ?? shown(value, setting.kind, formatDuration)]);
  }
  const dev = [...leavesOfValues(devValues, '')].map(([name, value]) => {
    const duration = name.endsWith('_interval');
    return `\`${name} = ${JSON.stringify(duration ? formatDuration(value) : value)}\``;
  });
  return { text: page(rows, dev), unread };
}

/** Every setting that is no block, and refused blocks; what is `later` outside is so inside. */
function* leaves(table, path, state) {
  for (const [key, setting] of Object.entries(table)) {
    const name = path === '' ? key : `${path}.${key}`;
    const own = state === 'later' ? state : setting.served;
    if (typeof setting.kind !== 'object' || own === 'refused') yield { name, setting, state: own };
    else yield* leaves(setting.kind, setting.repeat === 'labelled' ? `${name}.<name>` : name, own);
  }
}

function* leavesOfValues(values, path) {
  for (const [key, value] of Object.entries(values)) {
    const name = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'object') yield* leavesOfValues(value, name);
    else yield [name, value];
  }
}

const valueAt = (config, path) => path.split('.').reduce((at, part) => at?.[part], config);
const harmless = (setting) => (setting.harmless === undefined ? '' : `\`${JSON.stringify(setting.harmless)}\``);

function shown(value, kind, formatDuration) {
  if (value === undefined) return kind === 'bool' ? '`false`' : '';
  if (value === '' || (typeof value === 'object' && Object.keys(value).length === 0)) return 'empty';
  return `\`${kind === 'duration' ? `"${formatDuration(value)}"` : JSON.stringify(value)}\``;
}

function page(rows, dev) {
  const table = (cells) => cells.map((row) => `| ${row.join(' | ')} |`).join('\n');
  const blocks = new Map();
  for (const name of rows.later) {
    const at = name.lastIndexOf('.');
    const block = at < 0 ? 'top level' : `\`${name.slice(0, at)}\``;
    blocks.set(block, [...(blocks.get(block) ?? []), `\`${name.slice(at + 1)}\``]);
  }
  const later = [...blocks].map(([block, names]) => [block, names.join(', ')]);
  return `# Configuration of an agent

Made by \`node scripts/reference-configuration.mjs\` from \`src/agent/settings.ts\` and \`src/agent/config-resolve.ts\`; a test holds it to them.

\`drover agent -config FILE|DIR\` reads HCL or JSON, told apart by content; of a directory every \`.hcl\` and \`.json\` file, in order of
their names. Later files add to earlier ones: a text or number that is not empty or zero replaces, \`true\` stays, maps and named blocks
merge by key. \`drover config validate\` says what an agent would say. Durations are written like \`"1h30m"\`, sizes in MB.

A key stands here with its blocks before it: \`client.reserved.cpu\` is \`client { reserved { cpu = 500 } }\`, \`plugin.<name>.config\` is
\`plugin "exec" { config { … } }\`. An unknown key stops the agent, with its place and the nearest name.

\`-dev\` stands for ${dev.join(', ')}.

## Served

| setting | kind | default |
|---|---|---|
${table(rows.served)}

## Refused
The agent does not start, because doing without would weaken security or change the topology.

| setting | passes | why |
|---|---|---|
${table(rows.refused)}

## Understood, not served yet
The agent starts, and warns with the place of the setting.

| block | settings |
|---|---|
${table(later)}
`;
}
