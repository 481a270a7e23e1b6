import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  type FSWatcher,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { connect } from '../api-client/index.ts';
import type { DriverReload } from '../client/driver-programs.ts';
import { hasErrors } from '../hcl/index.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { showDiagnostics } from './diagnostics.ts';
import { callLine } from './driver-call-line.ts';
import { type DriverFile, loadDriverFile, ownCommand } from './driver-file.ts';
import { version } from './version.ts';

export const command: Command = {
  usage: 'driver dev [options] <file>',
  help: `Runs an agent with a driver under work. Saving the file, or a module beside it, reloads the driver: the new code takes over while
tasks keep running, and code that does not load changes nothing. Shows each call that the agent makes, what came of it, and what the
driver logs. Ctrl-C stops the tasks and the agent.

  drover driver dev driver.js
  drover job run example.nomad.hcl           in another terminal

The operator's options come from agent.hcl beside the file, or from -config:  plugin "<name>" { config { … } }`,
  flags: {
    config: {
      kind: 'strings',
      value: '<path>',
      help: "Agent configuration, as drover agent's; default agent.hcl beside the file.",
    },
    'http-port': { kind: 'int', value: '<port>', help: 'The port of the HTTP API. Default 4646.' },
    verbose: { kind: 'bool', help: "The agent's whole log." },
  },
  client: false,
  complete: 'files',
  async run(call) {
    const [word] = call.args;
    if (word === undefined || call.args.length > 1) throw new CommandError('This command takes one argument: <file>');
    // asked for before there is anything to leave behind: an agent that is still starting is stopped when it has
    const terminated = new AbortController();
    process.once('SIGTERM', () => terminated.abort());
    const over = AbortSignal.any([call.interrupted, terminated.signal]);
    const driver = await loadDriverFile(word);
    // tasks of other users pass through it
    const folder = mkdtempSync(join(tmpdir(), 'drover-driver-dev-'));
    chmodSync(folder, 0o711);
    try {
      return await develop(call, driver, folder, over);
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
};

async function develop(call: Call, driver: DriverFile, folder: string, over: AbortSignal): Promise<number> {
  const { terminal } = call;
  const { pluginName: name } = driver.plugin;
  over.addEventListener('abort', () => terminal.out('\nstopping …'), { once: true });
  const program = new PluginFile(folder, driver);
  program.write();
  const agent = await startAgent(call, folder, driver);
  terminal.out(
    `${terminal.paint('bold', name)} runs in an agent at ${agent.address}; saving ${basename(driver.path)} reloads it. Ctrl-C ends both.\n`,
  );
  const reloading = watchModules(dirname(driver.path), () => reload(call, driver, program, agent.address));
  await new Promise<void>((done) => {
    if (over.aborted) done();
    over.addEventListener('abort', () => done(), { once: true });
  });
  await reloading.close();
  await agent.stop();
  return 0;
}

/** The executable in plugin_dir. A change of its text is a new version for the agent. */
class PluginFile {
  readonly #path: string;
  readonly #driver: DriverFile;
  readonly #state: string;
  #count = 0;

  constructor(folder: string, driver: DriverFile) {
    mkdirSync(join(folder, 'plugins'));
    this.#path = join(folder, 'plugins', driver.plugin.pluginName);
    this.#state = join(folder, 'tasks');
    this.#driver = driver;
  }

  write(): void {
    const words = [...ownCommand(), 'driver', 'serve', '-trace', '-state-dir', this.#state, this.#driver.path];
    const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    writeFileSync(this.#path, `#!/bin/sh\n# ${++this.#count}\nexec ${quoted}\n`, { mode: 0o755 });
  }
}

async function startAgent(call: Call, folder: string, driver: DriverFile) {
  const [{ loadConfig }, agent] = await Promise.all([import('../agent/config-load.ts'), import('../agent/agent.ts')]);
  const { pluginName: name } = driver.plugin;
  const beside = join(dirname(driver.path), 'agent.hcl');
  const given = call.flags.strings('config');
  const port = call.flags.int('http-port');
  const load = () =>
    loadConfig({
      paths: given.length > 0 ? given : existsSync(beside) ? [beside] : [],
      dev: true,
      flags: {
        plugin_dir: join(folder, 'plugins'),
        plugin: { [name]: {} },
        log_json: true,
        ...(port === undefined ? {} : { ports: { http: port } }),
      },
      defaultDataDir: join(folder, 'data'),
    });
  const loaded = load();
  showDiagnostics(call.terminal, loaded.diagnostics);
  for (const problem of loaded.problems) call.terminal.error(`Error: ${problem}`);
  if (hasErrors(loaded.diagnostics) || loaded.problems.length > 0) throw new CommandError('the agent is not started');
  const show = callLine(call.terminal, name, call.flags.bool('verbose'));
  return agent
    .startAgent({ config: loaded.config, version: version(), write: show, reload: load })
    .catch((error: unknown) => {
      if (isFault(error)) throw new CommandError(`the agent cannot be started: ${error.message}`);
      throw error;
    });
}

/** What does not load is said and changes nothing. */
async function reload(call: Call, driver: DriverFile, program: PluginFile, address: string): Promise<void> {
  const { terminal } = call;
  const before = Date.now();
  const problem = await loads(driver.path);
  if (problem !== null) {
    terminal.out(`${terminal.paint('red', 'not reloaded')}: ${problem}`);
    return;
  }
  program.write();
  const client = connect({ transport: httpTransport({ address }) });
  try {
    const { value } = await client.api.put<readonly DriverReload[]>('/v1/client/drivers/reload', null, {});
    for (const { Outcome, Reason } of value) {
      const failed = Outcome === 'failed' || Outcome === 'kept';
      const ms = Date.now() - before;
      terminal.out(
        failed
          ? `${terminal.paint('red', 'not reloaded')}: ${Reason}`
          : `${terminal.paint('green', 'reloaded')} in ${ms} ms; tasks go on`,
      );
    }
  } catch (error) {
    terminal.out(`${terminal.paint('red', 'not reloaded')}: ${messageOf(error)}`);
  } finally {
    client.close();
  }
}

/** In a process of its own: modules are loaded once in each. Null: it does. */
function loads(path: string): Promise<string | null> {
  const [program = '', ...words] = [...ownCommand(), 'driver', 'docs', '-json-schema=task', path];
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? null : said.trim() || `it ends with ${code}`));
  });
}

const settleMs = 150;

const notWatched: ReadonlySet<string> = new Set(['node_modules', '.git', 'dist']);

/**
 * Editors write a file in several steps: one reload for all of them, and never two at once. Folders are watched, each by itself: many editors
 * put another file in place of the old one, and Node's own watch of a whole tree loses sight of that.
 */
function watchModules(folder: string, changed: () => Promise<void>): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const watchers = new Map<string, FSWatcher>();
  const forget = (path: string): void => {
    watchers.get(path)?.close();
    watchers.delete(path);
  };
  const follow = (path: string): void => {
    if (watchers.has(path)) return;
    watchers.set(
      path,
      watch(path, (event, file) => {
        if (event === 'rename') look();
        if (file === null || !/\.([cm]?[jt]s|json)$/.test(file)) return;
        clearTimeout(timer);
        timer = setTimeout(() => {
          running = running.then(changed).catch(() => {});
        }, settleMs);
      }).on('error', () => forget(path)),
    );
  };
  /** Folders come and go. */
  const look = (): void => {
    for (const path of watchers.keys()) if (!existsSync(path)) forget(path);
    for (const path of foldersIn(folder)) follow(path);
  };
  look();
  return {
    close: async () => {
      clearTimeout(timer);
      for (const path of [...watchers.keys()]) forget(path);
      await running;
    },
  };
}

/** The folder and those in it, but for what is not the author's. */
function foldersIn(path: string): readonly string[] {
  try {
    const inner = readdirSync(path, { withFileTypes: true });
    const own = inner.filter((each) => each.isDirectory() && !notWatched.has(each.name));
    return [path, ...own.flatMap(({ name }) => foldersIn(join(path, name)))];
  } catch {
    return []; // gone meanwhile
  }
}
