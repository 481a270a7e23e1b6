/**
 * Starts a plugin's program and reads its handshake. What it prints afterwards is drained for ever, so that it never blocks; its
 * stderr goes line by line to the log.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cookie, type Handshake, parseHandshake, protocolVersion } from '../../driver/handshake.ts';
import { Fault } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { shutDownPlugin } from './remote-driver.ts';

export interface LaunchOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The whole environment besides the protocol's own names; never the agent's own, which may hold secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the plugin makes its socket: the agent's own, 0700. */
  readonly socketDirectory: string;
  /** Default 60,000: the protocol's own limit. */
  readonly startTimeoutMs?: number;
  readonly log: Log;
}

export interface LaunchedPlugin {
  readonly pid: number;
  /** For a gRPC client: `unix:/run/plugin123`. */
  readonly target: string;
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Asks it to end, and kills it after 2 s. Its tasks stay. */
  stop(): Promise<void>;
}

/** `Fault('invalid')`: what it said is no handshake; `Fault('unavailable')`: it ended or said nothing in time. */
export async function launchPlugin(options: LaunchOptions, signal: AbortSignal): Promise<LaunchedPlugin> {
  signal.throwIfAborted();
  const { command, log } = options;
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: {
      ...options.env,
      [cookie.name]: cookie.value,
      PLUGIN_MIN_PORT: '10000',
      PLUGIN_MAX_PORT: '25000',
      PLUGIN_PROTOCOL_VERSIONS: String(protocolVersion),
      PLUGIN_UNIX_SOCKET_DIR: options.socketDirectory,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end();
  createInterface({ input: child.stderr }).on('line', (line) =>
    log.debug('plugin says', { line: line.slice(0, 4096) }),
  );
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, name) => resolve({ code, signal: name }));
  });
  try {
    const { network, address } = await handshakeOf(child, ended, options.startTimeoutMs ?? 60_000, signal);
    const target = network === 'unix' ? `unix:${address}` : address;
    return { pid: child.pid ?? 0, target, ended, stop: () => stopPlugin(child, target, ended) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function handshakeOf(
  child: ChildProcessWithoutNullStreams,
  ended: Promise<unknown>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Handshake> {
  const lines = createInterface({ input: child.stdout });
  const first = new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('error', (error) =>
      reject(new Fault('unavailable', `the plugin cannot be started: ${error.message}`, { cause: error })),
    );
    void ended.then(() => reject(new Fault('unavailable', 'the plugin ended before its handshake')));
  });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const late = new Promise<never>((_, reject) => {
    limit.addEventListener(
      'abort',
      () => reject(new Fault('unavailable', `the plugin gave no handshake within ${timeoutMs} ms`)),
      { once: true },
    );
  });
  late.catch(() => {});
  const line = await Promise.race([first, late]);
  // what comes after the handshake is nobody's, but must be read
  lines.on('line', () => {});
  return parseHandshake(line);
}

async function stopPlugin(
  child: ChildProcessWithoutNullStreams,
  target: string,
  ended: Promise<unknown>,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await shutDownPlugin(target, AbortSignal.timeout(2000)).catch(() => {});
  const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
  await ended;
  clearTimeout(timer);
}
