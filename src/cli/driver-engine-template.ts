/** What `drover driver init -engine` writes in place of the files of a driver that runs programs: file → text. */

/** `checkTasks`: the beginning of driver.check.hcl, up to a task that cannot be started. */
export function engineFiles(name: string, checkTasks: string): Readonly<Record<string, string>> {
  return {
    'driver.js': driverFile(name),
    'engine.js': engineFile,
    'driver.test.js': testFile,
    'driver.check.hcl': `${checkTasks}fails {\n  script = " "\n}\n`,
    'agent.hcl': agentFile(name),
  };
}

const driverFile = (name: string): string => `// @ts-check
import { defineEngineDriver, Fault, option } from 'drover/driver';
import { Engine } from './engine.js';

export default defineEngineDriver({
  name: '${name}',
  version: '0.1.0',

  // the operator's: plugin "${name}" { config { … } }
  options: {
    directory: option.string({ default: '', doc: 'Where the engine keeps what it runs; default: one of its own below /var/tmp.' }),
  },

  // the job author's: config { … } of a task
  config: {
    script: option.string({ required: true, doc: 'The text that the shell reads.' }),
    args: option.list(option.string(), { doc: 'Arguments of the script: $1, $2, …' }),
  },

  // what is remembered of a task over restarts: count version up when it changes, and give migrations
  state: { version: 1, fields: { unit: option.string({ required: true }) } },

  // every hook below gets what this returns
  open: ({ directory }) => Engine.open(directory, '${name}'),

  // what this node has; a throw makes the driver unhealthy with that reason
  fingerprint: async (engine) => ({ attributes: { 'driver.${name}.engine': await engine.version() } }),

  // what it refuses, by a throw: asked before each start, and by \`drover explain\`, which starts nothing
  check(_engine, { config }) {
    if (config.script.trim() === '') throw new Fault('invalid', 'there is nothing to run: the script is empty');
  },

  async start(engine, task) {
    const { script, args } = task.config;
    const unit = unitOf(task.id);
    await engine.run(unit, {
      script,
      args: ['${name}', ...args],
      env: task.env,
      directory: task.directories.task,
      // pipes of the host, which keeps and rotates what comes out of them
      stdout: task.log.fifos?.stdout ?? \`\${task.directories.logs}/\${task.name}.stdout.0\`,
      stderr: task.log.fifos?.stderr ?? \`\${task.directories.logs}/\${task.name}.stderr.0\`,
    });
    return { state: { unit } };
  },

  // after a restart: does the engine still know the task, running or ended?
  find: ({ engine, state }) => engine.knows(state.unit),

  async wait({ engine, state }, signal) {
    const code = await engine.wait(state.unit, signal);
    return code > 128 ? { signal: code - 128 } : { exitCode: code };
  },

  async stop({ engine, state }, { timeoutMs, killSignal }, signal) {
    await engine.signal(state.unit, killSignal);
    const ended = engine.wait(state.unit, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    await ended.catch(() => engine.signal(state.unit, 'SIGKILL'));
  },

  remove: ({ engine, state }) => engine.remove(state.unit),

  // a start that was cut short: this process was killed in the middle of it, and nobody has the state
  removeUnknown: (engine, taskId) => engine.remove(unitOf(taskId)),

  // without it the driver has no \`alloc signal\`; stats, exec and events are optional in the same way
  signal: ({ engine, state }, name) => engine.signal(state.unit, name),
});

/** Named after the task, so that it is found again. @param {string} taskId */
function unitOf(taskId) {
  return taskId.replaceAll(/[^a-zA-Z0-9-]/g, '-');
}
`;

const engineFile = `// @ts-check
// Stands for your engine's client: put that in its place. This engine runs scripts as processes of this machine, each with a directory of
// its own, in which a small shell writes down how it ended. What an engine has to have is what driver.js asks of it: what runs outlives
// the driver, has a name that the driver gives it, and its end can be asked for later.
import { spawn } from 'node:child_process';
import { lstat, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from 'drover/driver';

// $1: the unit's directory, $2: where to run, then what. Who makes \`begun\` first has it: a unit that was removed before does not run.
const keeper = \`unit=$1; mkdir "$unit/begun" || exit 1; cd "$2" || cd /; shift 2
setsid /bin/sh -c 'echo $$ > "$0/pid.new"; mv "$0/pid.new" "$0/pid"; exec /bin/sh -c "$@"' "$unit" "$@" &
trap '' INT TERM HUP PIPE; wait $!; echo $? > "$unit/end.new"; mv "$unit/end.new" "$unit/end"\`;

export class Engine {
  #root;

  /** @param {string} root */
  constructor(root) {
    this.#root = root;
  }

  /** Connects. @param {string} directory @param {string} name */
  static async open(directory, name) {
    const root = directory === '' ? join('/var/tmp', \`\${name}-\${process.getuid?.()}\`) : directory;
    await mkdir(root, { mode: 0o700 }).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const { uid } = await lstat(root);
    if (uid !== process.getuid?.()) throw new Fault('denied', \`\${root} belongs to another user\`);
    return new Engine(root);
  }

  async version() {
    return 'processes';
  }

  /**
   * @param {string} unit
   * @param {{ script: string, args: readonly string[], env: Readonly<Record<string, string>>, directory: string, stdout: string, stderr: string }} what
   */
  async run(unit, { script, args, env, directory, stdout, stderr }) {
    const own = join(this.#root, unit);
    await mkdir(own, { mode: 0o700 });
    const [out, err] = await Promise.all([open(stdout, 'a'), open(stderr, 'a')]);
    const child = spawn('/bin/sh', ['-c', keeper, 'keeper', own, directory, script, ...args], {
      env,
      stdio: ['ignore', out.fd, err.fd],
      detached: true,
    });
    let gone = false;
    child.on('error', () => (gone = true)).on('exit', () => (gone = true));
    child.unref();
    await Promise.all([out.close(), err.close()]);
    while (!(await this.knows(unit)) && !gone) await sleep(10);
    if (!(await this.knows(unit))) throw new Fault('unavailable', 'the engine did not start it', { recoverable: true });
  }

  /** @param {string} unit */
  async knows(unit) {
    return (await this.#read(unit, 'pid')) !== '';
  }

  /** The exit code, or 128 and the signal's number. @param {string} unit @param {AbortSignal} signal */
  async wait(unit, signal) {
    for (;;) {
      const end = await this.#read(unit, 'end');
      if (end !== '') return Number(end);
      if (!(await this.knows(unit))) throw new Fault('not_found', 'the engine does not know it any more');
      await sleep(100, undefined, { signal });
    }
  }

  /** @param {string} unit @param {string} name */
  async signal(unit, name) {
    const pid = Number(await this.#read(unit, 'pid'));
    if (pid > 0 && (await this.#read(unit, 'end')) === '') kill(pid, name);
  }

  /** Whatever it is at, also on its way to begin. @param {string} unit */
  async remove(unit) {
    const own = join(this.#root, unit);
    const begun = await mkdir(join(own, 'begun')).then(
      () => false,
      (error) => error.code === 'EEXIST',
    );
    for (let tries = 0; begun && tries < 500 && !(await this.knows(unit)); tries++) await sleep(10);
    await this.signal(unit, 'SIGKILL');
    // what was killed may write until it is gone
    await rm(own, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
  }

  /** Empty: not there. @param {string} unit @param {string} file */
  async #read(unit, file) {
    return readFile(join(this.#root, unit, file), 'utf8').catch(() => '');
  }
}

/** With all that it started. @param {number} pid @param {string} name */
function kill(pid, name) {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}
`;

const testFile = `import assert from 'node:assert/strict';
import test from 'node:test';
import { tryTask } from 'drover/driver';
import driver from './driver.js';

test('a script runs with its arguments, and its exit code is kept', async () => {
  const { exit, stdout } = await tryTask(driver, { config: { script: 'echo "hello $1"; exit 3', args: ['you'] } });
  assert.equal(stdout, 'hello you\\n');
  assert.equal(exit.exitCode, 3);
});

test('what the engine refuses is the reason that people read', async () => {
  await assert.rejects(tryTask(driver, { config: { script: ' ' } }), /there is nothing to run/);
});

test('an option that does not exist is named with the nearest one', async () => {
  await assert.rejects(tryTask(driver, { config: { scrip: 'true' } }), /"scrip".*Did you mean "script"/);
});
`;

const agentFile = (
  name: string,
): string => `# drover agent -dev -plugin-dir=dist -config=agent.hcl   (after npm run build)
plugin "${name}" {
  config {}
}
`;
