import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { RunningAgent } from '../agent/agent.ts';
import { type LoadedConfig, loadConfig } from '../agent/config-load.ts';
import type { Values } from '../agent/settings-decode.ts';
import { hasErrors } from '../hcl/index.ts';
import { isFault } from '../lib/fault.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { showDiagnostics } from './diagnostics.ts';
import { version } from './version.ts';

export const command: Command = {
  usage: 'agent [options]',
  help: `Runs an agent: a server, a client, or both, until it is interrupted.

  drover agent -dev                  everything in one, for trying things: its tasks end with it
  drover agent -server -client -data-dir=/var/lib/drover
  drover agent -config=/etc/drover.d

Settings come from defaults, then files in the order given (a directory stands for its .hcl and .json files), then flags.
SIGINT and SIGTERM stop the agent and leave its tasks running (but for -dev); SIGHUP reads the files again and applies the log level and
what changed in plugin_dir and plugin blocks, and finds out anew how the host isolates.`,
  flags: {
    config: {
      kind: 'strings',
      value: '<path>',
      help: 'A file or directory of settings, HCL or JSON; may be repeated.',
    },
    dev: {
      kind: 'bool',
      help: 'Server and client on loopback, raw_exec allowed, all tasks stopped at the end; without a data directory nothing is kept.',
    },
    server: { kind: 'bool', help: 'Be a server.' },
    client: { kind: 'bool', help: 'Be a client.' },
    'data-dir': { kind: 'string', value: '<path>', help: 'Where the agent keeps its state.' },
    'state-dir': {
      kind: 'string',
      value: '<path>',
      help: 'Where the client keeps its state. Default: client below the data directory.',
    },
    'alloc-dir': {
      kind: 'string',
      value: '<path>',
      help: 'Where allocations get their directories. Default: alloc below the data directory.',
    },
    'plugin-dir': {
      kind: 'string',
      value: '<path>',
      help: 'Where driver plugins lie. Default: plugins below the data directory.',
    },
    bind: { kind: 'string', value: '<addr>', help: 'The address to listen on. Default 127.0.0.1.' },
    'http-port': { kind: 'int', value: '<port>', help: 'The port of the HTTP API. Default 4646.' },
    region: { kind: 'string', value: '<name>', help: 'Default "global".' },
    dc: { kind: 'string', value: '<name>', help: 'The datacenter. Default "dc1".' },
    node: { kind: 'string', value: '<name>', help: "The node's name. Default: the host's." },
    'node-class': { kind: 'string', value: '<name>', help: 'A class that constraints can ask for.' },
    'node-pool': { kind: 'string', value: '<name>', help: 'Default "default".' },
    meta: { kind: 'strings', value: '<key>=<value>', help: 'Metadata of the node; may be repeated.' },
    servers: { kind: 'string', value: '<addr,…>', help: 'Servers that a client-only agent registers with.' },
    'network-interface': { kind: 'string', value: '<name>', help: 'The interface whose address tasks get.' },
    'log-level': { kind: 'string', value: '<level>', help: 'TRACE, DEBUG, INFO, WARN or ERROR.' },
    'log-json': { kind: 'bool', help: 'Log lines as JSON.' },
  },
  client: false,
  complete: 'files',
  run,
};

async function run(call: Call): Promise<number> {
  const { flags, args } = call;
  if (args.length > 0)
    throw new CommandError(
      `unexpected argument ${JSON.stringify(args[0])}: the agent takes only options\nFor additional help try 'drover agent -help'`,
    );
  if (!flags.bool('dev')) return runAgent(call, '');
  const scratch = scratchDirectory();
  try {
    return await runAgent(call, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runAgent(call: Call, scratch: string): Promise<number> {
  const { flags, terminal } = call;
  const load = (): LoadedConfig =>
    loadConfig({
      paths: flags.strings('config'),
      dev: flags.bool('dev'),
      flags: flagValues(call),
      defaultDataDir: scratch,
    });
  const loaded = load();
  showDiagnostics(terminal, loaded.diagnostics);
  for (const warning of loaded.warnings) terminal.error(`Warning: ${warning}`);
  const { problems } = loaded;
  for (const problem of problems) terminal.error(`Error: ${problem}`);
  if (hasErrors(loaded.diagnostics) || problems.length > 0) return 1;
  // Much of what an agent runs is warm and never hot: compiling it to the highest degree took a seventh of a burst of starts on two cores.
  // What is hot still gets there, after seven times as much of it as usual.
  setFlagsFromString('--interrupt-budget=1000000');
  const { startAgent } = await import('../agent/agent.ts');
  const agent = await startAgent({
    config: loaded.config,
    version: version(),
    write: (text) => process.stdout.write(text),
    reload: load,
  }).catch((error) => {
    if (isFault(error)) throw new CommandError(`Error starting agent: ${error.message}`);
    throw error;
  });
  terminal.out(banner(call, loaded, agent));
  await untilSignalled(agent);
  const left = await agent.stop();
  if (left > 0) terminal.out(stillRunning(left, agent.address));
  return 0;
}

/** Passable, not readable: tasks of uids of their own must reach their directories below it. */
function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-dev-'));
  chmodSync(directory, 0o711);
  return directory;
}

function flagValues({ flags }: Call): Values {
  const set = (values: { [key: string]: unknown }): Values =>
    Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const path = (name: string): string | undefined => {
    const given = flags.string(name);
    return given === undefined ? undefined : resolve(given);
  };
  const meta = Object.fromEntries(
    flags.strings('meta').map((text) => [text.split('=')[0]!, text.slice(text.indexOf('=') + 1)]),
  );
  const client = set({
    enabled: flags.bool('client') || undefined,
    state_dir: path('state-dir'),
    alloc_dir: path('alloc-dir'),
    node_class: flags.string('node-class'),
    node_pool: flags.string('node-pool'),
    network_interface: flags.string('network-interface'),
    servers: flags.string('servers')?.split(','),
    meta: flags.given('meta') ? meta : undefined,
  });
  return set({
    data_dir: path('data-dir'),
    plugin_dir: path('plugin-dir'),
    bind_addr: flags.string('bind'),
    region: flags.string('region'),
    datacenter: flags.string('dc'),
    name: flags.string('node'),
    log_level: flags.string('log-level'),
    log_json: flags.bool('log-json') || undefined,
    ports: flags.int('http-port') === undefined ? undefined : { http: flags.int('http-port') },
    server: flags.bool('server') ? { enabled: true } : undefined,
    client: Object.keys(client).length > 0 ? client : undefined,
  });
}

function banner({ terminal }: Call, { config }: LoadedConfig, agent: RunningAgent): string {
  const rows: [string, string][] = [
    ['API', agent.address],
    ['Client', String(config.client !== null)],
    ['Server', String(config.server !== null)],
    ['Node ID', agent.nodeId],
    ['Region', `${config.region} (DC: ${config.datacenter})`],
    ['Data', config.dataDir],
    ['Isolation', agent.isolation],
    ['Supervisor', agent.supervisor],
    ['Log level', config.logLevel],
    ['Version', version()],
  ];
  const lines = rows.filter(([, value]) => value !== '').map(([key, value]) => `${key.padStart(14)}: ${value}`);
  return `${terminal.paint('bold', '==> Drover agent started')}\n\n${lines.join('\n')}\n\n${terminal.paint('bold', '==> Log:')}\n`;
}

function untilSignalled(agent: RunningAgent): Promise<void> {
  return new Promise((done) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(1); // asked twice: the tasks are safe, whatever the agent was doing
      asked = true;
      done();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    process.on('SIGHUP', () => void agent.reload());
  });
}

function stillRunning(count: number, address: string): string {
  const tasks = count === 1 ? '1 task keeps' : `${count} tasks keep`;
  return `\n${tasks} running without the agent. Start it again to find ${count === 1 ? 'it' : 'them'}, then stop with: drover job stop <job>   (the API was at ${address})`;
}
