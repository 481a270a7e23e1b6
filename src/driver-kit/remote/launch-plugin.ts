/**
 * Starts a plugin's program and reads its handshake, or finds one again that a former agent left.
 *
 *   spawned (own session, output to files) → handshake line → running → told to end | died
 *                                                              ↑ found again by pid and start time
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cookie, type Handshake, parseHandshake, protocolVersion } from '../../driver/handshake.ts';
import { parsePluginLine } from '../../driver/hclog.ts';
import { Fault } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { isAlive, startTimeOf } from '../../supervise/this-host.ts';
import { shutDownPlugin } from './remote-driver.ts';
import { tailFile } from './tail-file.ts';

export interface LaunchOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The whole environment besides the protocol's own names; never the agent's own, which may hold secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** The plugin's own, made 0700: output, the record by which it is found again. */
  readonly directory: string;
  /** Default 60,000: the protocol's own limit. */
  readonly startTimeoutMs?: number;
  readonly log: Log;
}

export interface LaunchedPlugin {
  readonly pid: number;
  /** For a gRPC client: `unix:/run/plugin123`. */
  readonly target: string;
  /** Found again: it has its configuration already. */
  readonly reattached: boolean;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  /** Asks it to end, and kills it after 2 s. Its tasks stay. */
  stop(): Promise<void>;
  /** Stops listening; the plugin goes on. */
  detach(): Promise<void>;
}

interface PluginRecord {
  readonly pid: number;
  readonly startTime: string;
  readonly target: string;
  readonly socketDirectory: string;
  readonly command: readonly string[];
}

const recordFile = 'plugin.json';

/** `Fault('invalid')`: what it said is no handshake; `Fault('unavailable')`: it ended or said nothing in time. */
export async function launchPlugin(options: LaunchOptions, signal: AbortSignal): Promise<LaunchedPlugin> {
  signal.throwIfAborted();
  const { command, directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // short, for a socket's path has 107 bytes; private, for whoever connects commands the driver
  const socketDirectory = await mkdtemp(join(tmpdir(), 'drover-plugin-'));
  const streams = await Promise.all(
    ['stdout', 'stderr'].map((name) => open(join(directory, `${name}.log`), 'w', 0o600)),
  );
  const [stdout, stderr] = await Promise.all(
    ['stdout', 'stderr'].map((name) => open(join(directory, `${name}.log`), 'a', 0o600)),
  );
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: environment(options.env, socketDirectory),
    stdio: ['ignore', stdout!.fd, stderr!.fd],
    detached: true,
  });
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  child.unref();
  await Promise.all([...streams, stdout!, stderr!].map((each) => each.close()));
  try {
    const { network, address } = await handshakeOf(options, { failed, ended }, signal);
    const target = network === 'unix' ? `unix:${address}` : address;
    const pid = child.pid ?? 0;
    const record = { pid, startTime: String(startTimeOf(pid)), target, socketDirectory, command };
    await writeFile(join(directory, recordFile), JSON.stringify(record), { mode: 0o600 });
    return await running(record, options, ended, false);
  } catch (error) {
    child.kill('SIGKILL');
    await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}

/** The plugin a former agent started with this very command, if it still runs; another is ended. */
export async function reattachPlugin(options: LaunchOptions): Promise<LaunchedPlugin | null> {
  let record: PluginRecord;
  try {
    record = JSON.parse(await readFile(join(options.directory, recordFile), 'utf8')) as PluginRecord;
  } catch {
    return null;
  }
  const startTime = /^\d+$/.test(record.startTime) ? BigInt(record.startTime) : 0n;
  if (!Number.isSafeInteger(record.pid) || record.pid <= 1 || !isAlive(record.pid, startTime)) return null;
  const ended = gone(record.pid, startTime);
  const plugin = await running(record, options, ended, true);
  if (JSON.stringify(record.command) === JSON.stringify(options.command)) return plugin;
  await plugin.stop();
  return null;
}

/** It is no child of ours: its end is asked for. */
async function gone(pid: number, startTime: bigint): Promise<void> {
  while (isAlive(pid, startTime)) await sleep(500, undefined, { ref: false });
}

function environment(own: Readonly<Record<string, string>>, socketDirectory: string): Record<string, string> {
  return {
    ...own,
    [cookie.name]: cookie.value,
    PLUGIN_MIN_PORT: '10000',
    PLUGIN_MAX_PORT: '25000',
    PLUGIN_PROTOCOL_VERSIONS: String(protocolVersion),
    PLUGIN_UNIX_SOCKET_DIR: socketDirectory,
    // older plugins know no other way to be told where their socket goes
    TMPDIR: socketDirectory,
  };
}

async function running(
  record: PluginRecord,
  options: LaunchOptions,
  ended: Promise<void>,
  reattached: boolean,
): Promise<LaunchedPlugin> {
  const { directory, log } = options;
  const drained = await tailFile(join(directory, 'stdout.log'), 0, () => {});
  const said = await tailFile(join(directory, 'stderr.log'), 0, (text) => {
    const { level, message, fields } = parsePluginLine(text);
    log[level](message, fields);
  });
  let over = false;
  const finished = ended.then(async () => {
    over = true;
    await Promise.all([drained.close(), said.close()]);
    await rm(record.socketDirectory, { recursive: true, force: true });
  });
  return {
    pid: record.pid,
    target: record.target,
    reattached,
    ended: finished,
    async stop() {
      if (!over) {
        await shutDownPlugin(record.target, AbortSignal.timeout(2000)).catch(() => {});
        const timer = setTimeout(() => kill(record), 2000);
        await finished;
        clearTimeout(timer);
      }
      await rm(join(directory, recordFile), { force: true });
    },
    async detach() {
      await Promise.all([drained.close(), said.close()]);
    },
  };
}

function kill({ pid, startTime }: PluginRecord): void {
  if (!isAlive(pid, BigInt(startTime))) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}

async function handshakeOf(
  { directory, startTimeoutMs = 60_000 }: LaunchOptions,
  child: { readonly failed: Promise<string>; readonly ended: Promise<void> },
  signal: AbortSignal,
): Promise<Handshake> {
  const limit = Date.now() + startTimeoutMs;
  let failure = '';
  let over = false;
  void child.failed.then((text) => (failure = text));
  void child.ended.then(() => (over = true));
  for (;;) {
    const wasOver = over;
    const [line, rest] = (await readFile(join(directory, 'stdout.log'), 'utf8')).split('\n', 2);
    if (rest !== undefined) return parseHandshake(line ?? '');
    if (failure !== '') throw new Fault('unavailable', `the plugin cannot be started: ${failure}`);
    if (wasOver) throw new Fault('unavailable', `the plugin ended before its handshake${await lastWords(directory)}`);
    if (Date.now() > limit) throw new Fault('unavailable', `the plugin gave no handshake within ${startTimeoutMs} ms`);
    await sleep(10, undefined, { signal });
  }
}

async function lastWords(directory: string): Promise<string> {
  const text = await readFile(join(directory, 'stderr.log'), 'utf8').catch(() => '');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${JSON.stringify(parsePluginLine(last).message.slice(0, 300))}`;
}
