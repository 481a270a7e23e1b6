// The task driver lxc. What supervises, logs, limits, counts and finds again is the kit's: for it the foreground process of lxc is a command
// like any other, in a group that the container is below. What enters a container or ends it goes through lxc's own tools.
import { readFile, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { commandEngine, definePlugin, Fault, fingerprints } from 'drover/driver';
import { bridgeOf, containerLines } from './container-config.js';
import { Containers, tool } from './containers.js';
import { pluginOptions, taskOptions } from './options.js';

const version = '1.0.0';
const programs = '/usr/bin';

export default definePlugin({
  pluginName: 'lxc',
  version,
  configSchema: pluginOptions,
  taskSchema: taskOptions,
  create(plugin, deps) {
    const containers = new Containers(plugin);
    const driver = new Lxc(plugin, containers);
    return new LxcEngine(commandEngine(driver, deps), driver, containers);
  },
});

class Lxc {
  info = { name: 'lxc', version, filesystem: 'image', networkModes: ['host', 'group', 'none'], mounts: true };

  constructor(plugin, containers) {
    this.plugin = plugin;
    this.containers = containers;
    /** Tasks as they were given, by id: their users are of the container, and not looked up on the host. */
    this.tasks = new Map();
  }

  fingerprint(signal) {
    return fingerprints(() => this.#look(signal), signal);
  }

  async #look(signal) {
    const not = (description) => ({ health: 'undetected', description, attributes: {} });
    if (!this.plugin.enabled) return not('disabled');
    if (process.getuid() !== 0) return not('lxc containers of this driver are made by root');
    this.lost ??= this.containers.releaseLost();
    await this.lost;
    const found = await tool('lxc-execute', ['--version'], signal).catch(() => null);
    if (found === null) return not('the tools of lxc are not installed (Debian: lxc)');
    return {
      health: 'healthy',
      description: 'Healthy',
      attributes: {
        'driver.lxc': '1',
        'driver.lxc.version': found.trim(),
        'driver.lxc.volumes.enabled': String(this.plugin.volumes_enabled),
        'driver.lxc.privileged.enabled': String(this.plugin.allow_privileged),
      },
    };
  }

  async plan({ id }) {
    const task = this.tasks.get(id);
    await this.#check(task);
    containerLines({ task, plugin: this.plugin, idFirst: null, user: null });
    await this.containers.check(task);
    const { command, args, log_level: level, verbosity } = task.config;
    const words = [...this.containers.named(task.id), '-o', this.containers.logFile(task.id)];
    // what its init ended with is told by the log alone, from "info" on
    const spoken = runsInit(task) && !['trace', 'debug'].includes(level.toLowerCase()) ? 'info' : level;
    words.push('-l', spoken.toUpperCase(), ...(verbosity === 'quiet' ? ['-q'] : []));
    return {
      command: `${programs}/${runsInit(task) ? 'lxc-start' : 'lxc-execute'}`,
      args: runsInit(task) ? ['-F', ...words] : [...words, '--', command, ...args],
      workDir: '/',
      // as root, lxc writes the map of ids itself where it finds no newuidmap, which would ask for entries of /etc/subuid
      env: { PATH: '/nonexistent' },
      withoutEnv: Object.keys(task.env).filter((name) => name !== 'PATH'),
      defaultUser: '',
      pidsLimit: this.plugin.pids_limit,
      isolation: { prefer: 'none', pidMode: 'host', ipcMode: 'host', capabilities: [], runtimes: [] },
    };
  }

  async ready({ id }, _spec, signal) {
    const task = this.tasks.get(id);
    await this.containers.make(task, (made) => containerLines({ task, plugin: this.plugin, ...made }), signal);
  }

  async #check(task) {
    const { template, rootfs, privileged } = task.config;
    if (Boolean(template) === Boolean(rootfs)) throw new Fault('invalid', 'one of template and rootfs is required');
    if (privileged && !this.plugin.allow_privileged)
      throw new Fault('denied', 'privileged: allow_privileged is false on this node');
    const bridge = bridgeOf(task, this.plugin);
    if (bridge !== null && !(await stat(`/sys/class/net/${bridge}`).catch(() => null)))
      throw new Fault(
        'invalid',
        `network_mode "bridge": this node has no ${bridge}; make it (lxc-net does), or say "none" or "host"`,
      );
  }
}

const runsInit = (task) => !task.config.command;

class LxcEngine {
  #engine;
  #driver;
  #containers;
  #tasks;

  constructor(engine, driver, containers) {
    this.#engine = engine;
    this.#driver = driver;
    this.#containers = containers;
    this.#tasks = driver.tasks;
  }

  get info() {
    return this.#driver.info;
  }

  fingerprint(signal) {
    return this.#driver.fingerprint(signal);
  }

  async start(task, signal) {
    if (this.#tasks.has(task.id)) throw new Fault('exists', `task ${task.id} is already known`);
    this.#tasks.set(task.id, task);
    try {
      return await this.#engine.start({ ...task, user: '' }, signal);
    } catch (error) {
      this.#tasks.delete(task.id);
      await this.#containers.remove(task.id);
      throw error;
    }
  }

  async rehearse(task, signal) {
    this.#tasks.set(task.id, task);
    try {
      return await this.#engine.rehearse({ ...task, user: '' }, signal);
    } finally {
      this.#tasks.delete(task.id);
    }
  }

  async recover(task, state, signal) {
    const found = await this.#engine.recover(task, state, signal);
    this.#tasks.set(task.id, task);
    return found;
  }

  async recoverStart(task, signal) {
    const found = await this.#engine.recoverStart(task, signal);
    if (found !== null) this.#tasks.set(task.id, task);
    return found;
  }

  async wait(taskId, signal) {
    const exit = await this.#engine.wait(taskId, signal);
    const task = this.#tasks.get(taskId);
    if (task === undefined || !runsInit(task) || exit.unknown !== undefined || exit.signal !== 0) return exit;
    return { ...exit, ...(await this.#endOfInit(taskId)) };
  }

  /** lxc-start ends with 0 whatever its container ended with. */
  async #endOfInit(taskId) {
    const log = await readFile(this.#containers.logFile(taskId), 'utf8').catch(() => '');
    const [, how, text] = [...log.matchAll(/Child <\d+> ended on (error|signal) \((\d+)\)/g)].at(-1) ?? [];
    if (how === undefined) return {};
    const number = Number(text);
    return how === 'signal' ? { exitCode: 128 + number, signal: number } : { exitCode: number };
  }

  async stop(taskId, options, signal) {
    const until = Date.now() + options.timeoutMs;
    const task = this.#tasks.get(taskId);
    if (task !== undefined && options.timeoutMs > 0 && (await this.#ask(task, options, signal))) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
      await this.#engine.wait(taskId, limit).catch(() => undefined);
      signal.throwIfAborted();
    }
    await this.#engine.stop(taskId, { ...options, timeoutMs: Math.max(0, until - Date.now()) }, signal);
  }

  /** An init is asked in its own way (lxc.signal.halt): it ignores other signals. False: there was nobody to ask. */
  async #ask(task, { timeoutMs, killSignal }, signal) {
    if (runsInit(task) && killSignal === '') {
      const seconds = String(Math.ceil(timeoutMs / 1000));
      await tool('lxc-stop', [...this.#containers.named(task.id), '-t', seconds], signal).catch(() => undefined);
      return true;
    }
    return this.#send(task, Object.hasOwn(constants.signals, killSignal) ? killSignal : 'SIGINT');
  }

  async #send(task, name) {
    const pid = await this.#containers.mainProcess(task.id, runsInit(task));
    if (pid === null) return false;
    try {
      return process.kill(pid, name);
    } catch (error) {
      if (error.code === 'ESRCH') return false;
      throw error;
    }
  }

  async destroy(taskId, options, signal) {
    const problem = await this.#engine.destroy(taskId, options, signal).then(
      () => null,
      (error) => error,
    );
    if (problem !== null && problem?.kind !== 'not_found') throw problem;
    this.#tasks.delete(taskId);
    const there = await this.#containers.exists(taskId);
    // also of one that is gone: who removed it may have been killed before its ids were given back
    if (this.#driver.plugin.gc?.container !== false) await this.#containers.remove(taskId);
    if (problem !== null && !there) throw problem;
  }

  inspect(taskId, signal) {
    return this.#engine.inspect(taskId, signal);
  }

  stats(taskId, signal) {
    return this.#engine.stats(taskId, signal);
  }

  async signal(taskId, name, signal) {
    if (!Object.hasOwn(constants.signals, name)) throw new Fault('invalid', `${JSON.stringify(name)} is no signal`);
    const { state } = await this.#engine.inspect(taskId, signal);
    if (state !== 'running' || !(await this.#send(this.#tasks.get(taskId), name)))
      throw new Fault('conflict', `task ${taskId} is not running`);
  }

  /** The kit's session, terminal and all, of the tool that enters the container; the variables are those of its configuration. */
  async exec(taskId, request, signal) {
    await this.#engine.inspect(taskId, signal);
    const user = await this.#containers.userOf(taskId);
    const command = [
      ...[`${programs}/lxc-attach`, ...this.#containers.named(taskId), '--clear-env'],
      ...(user === null ? [] : ['-u', user.uid, '-g', user.gid]),
      ...['--', ...request.command],
    ];
    const session = await this.#engine.exec(taskId, { ...request, command }, signal);
    return request.tty ? { ...bound(session), output: withoutSecondReturn(session.output) } : session;
  }

  close() {
    return this.#engine.close();
  }
}

function bound(session) {
  return {
    writeStdin: (data) => session.writeStdin(data),
    closeStdin: () => session.closeStdin(),
    resize: (size) => session.resize(size),
    exit: session.exit,
  };
}

/** lxc-attach has a terminal of its own inside of ours: each adds a carriage return to a line's end. */
async function* withoutSecondReturn(output) {
  const carriageReturn = 13;
  let held = 0;
  for await (const { stream, data } of output) {
    const bytes = [];
    for (const byte of data) {
      if (byte === carriageReturn) {
        held += 1;
        continue;
      }
      const returns = byte === 10 && held > 1 ? held - 1 : held;
      bytes.push(...Array(returns).fill(carriageReturn), byte);
      held = 0;
    }
    if (bytes.length > 0) yield { stream, data: Uint8Array.from(bytes) };
  }
  if (held > 0) yield { stream: 'stdout', data: new Uint8Array(held).fill(carriageReturn) };
}
