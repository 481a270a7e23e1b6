#!/usr/bin/env node
// A task driver of an engine in one file: each task is a session of tmux, so that a person can look over its shoulder
// (tmux -L drover attach -r -t SESSION). The sessions belong to the tmux server and outlive agent and plugin.
//
//   plugin "tmux" {}
//   task "t" {
//     driver = "tmux"
//     config {
//       command = "/usr/bin/top"
//     }
//   }
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defineEngineDriver, Fault, option, serve } from 'drover/driver';

const run = promisify(execFile);

class Tmux {
  constructor(socket) {
    this.socket = socket;
  }

  async ask(words, signal) {
    const { stdout } = await run('tmux', ['-L', this.socket, '-f', '/dev/null', ...words], { signal });
    return stdout.trim();
  }

  /** Null: tmux does not know it. */
  async pane(session, signal) {
    const format = '#{pane_pid}:#{pane_dead}:#{pane_dead_status}:#{pane_dead_signal}:#{pid}';
    try {
      const [pid, dead, status, killedBy, server] = (await this.ask(['list-panes', '-t', `=${session}`, '-F', format], signal)).split(':');
      // a child that ends while its server begins is closed, but not waited for: told of a child, the server looks
      const known = status !== '' || killedBy !== '';
      if (dead === '1' && !known) process.kill(Number(server), 'SIGCHLD');
      return { pid: Number(pid), dead: dead === '1' && known, status: Number(status), killedBy: Number(killedBy) };
    } catch (error) {
      if (/can't find|no server|error connecting/.test(String(error?.stderr))) return null;
      throw error;
    }
  }
}

/** The whole of what runs in the session: a terminal's processes are a group of their own. */
function signalGroup(pid, name) {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

const sessionOf = (taskId) => taskId.replaceAll(/[^a-zA-Z0-9-]/g, '-');

const driver = defineEngineDriver({
  name: 'tmux',
  version: '1.0.0',
  options: { socket: option.string({ default: 'drover', doc: 'The name of the tmux server (tmux -L).' }) },
  config: {
    command: option.string({ required: true, doc: 'The program: an absolute path.' }),
    args: option.list(option.string(), { doc: 'Its arguments.' }),
  },
  state: { version: 1, fields: { session: option.string({ required: true }) } },
  open: ({ socket }) => new Tmux(socket),

  async fingerprint(tmux, signal) {
    const { stdout } = await run('tmux', ['-V'], { signal }).catch(() => {
      throw new Fault('unsupported', 'tmux is not installed');
    });
    return { attributes: { 'driver.tmux.engine': stdout.trim(), 'driver.tmux.socket': tmux.socket } };
  },

  async start(tmux, task, signal) {
    const { command, args } = task.config;
    await access(command, constants.X_OK).catch(() => {
      throw new Fault('invalid', `${command} is no program that can be run`);
    });
    const session = sessionOf(task.id);
    const variables = Object.entries(task.env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const output = task.log.fifos?.stdout ?? `${task.directories.logs}/${task.name}.stdout.0`;
    // one command line for tmux: the pipe is there before the first byte is read
    const words = ['set', '-g', 'remain-on-exit', 'on', ';'];
    words.push('new-session', '-d', '-s', session, '-x', '200', '-y', '50', '-c', task.directories.task, ...variables);
    words.push('--', command, ...args.map((each) => each.replace(/;$/, '\\;')), ';');
    words.push('pipe-pane', '-t', `=${session}:`, `exec cat >> '${output}'`);
    await tmux.ask(['start-server', ';', ...words], signal);
    return { state: { session } };
  },

  find: async ({ engine, state }, signal) => (await engine.pane(state.session, signal)) !== null,

  async wait({ engine, state }, signal) {
    for (;;) {
      const pane = await engine.pane(state.session, signal);
      if (pane === null) throw new Fault('not_found', 'the session was closed');
      if (pane.dead) return pane.killedBy > 0 ? { signal: pane.killedBy } : { exitCode: pane.status };
      await sleep(200, undefined, { signal });
    }
  },

  async stop({ engine, state }, { timeoutMs, killSignal }, signal) {
    const pane = await engine.pane(state.session, signal);
    if (pane === null || pane.dead) return;
    signalGroup(pane.pid, killSignal);
    const until = Date.now() + timeoutMs;
    while (Date.now() < until && (await engine.pane(state.session, signal))?.dead === false) await sleep(50, undefined, { signal });
    if ((await engine.pane(state.session, signal))?.dead === false) signalGroup(pane.pid, 'SIGKILL');
  },

  async remove({ engine, state }, signal) {
    if ((await engine.pane(state.session, signal)) !== null) await engine.ask(['kill-session', '-t', `=${state.session}`], signal);
  },

  // a start that was cut short: the session may be there, and nobody has its state
  async removeUnknown(tmux, taskId, signal) {
    const pane = await tmux.pane(sessionOf(taskId), signal);
    if (pane === null) return;
    signalGroup(pane.pid, 'SIGKILL');
    await tmux.ask(['kill-session', '-t', `=${sessionOf(taskId)}`], signal);
  },

  async signal({ engine, state }, name, signal) {
    const pane = await engine.pane(state.session, signal);
    if (pane !== null && !pane.dead) signalGroup(pane.pid, name);
  },
});

await serve(driver, { stateDirectory: process.argv[2] ?? '' });
