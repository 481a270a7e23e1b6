/**
 * Starts a plugin's program and reads its handshake, or finds one again that a former agent left.
 *
 *   spawned (own session, output to files) → handshake line → running → told to end | died
 *                                                              ↑ found again by pid and start time
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { cookie, type Handshake, parseHandshake, protocolVersion } from '../../driver/handshake.ts';
import { parsePluginLine } from '../../driver/hclog.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import type { SelfSigned } from '../../lib/node/self-signed.ts';
import { isAlive, startTimeOf } from '../../supervise/this-host.ts';
import { connectionCertificate, hostCertificateVariable, hostCredentials } from '../plugin-tls.ts';
import { shutDownPlugin } from './remote-driver.ts';
import { leaveSocketDirectory, socketDirectoryOf } from './socket-directory.ts';
import { mostBytes, tailFile, windowMs } from './tail-file.ts';

export interface LaunchOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The whole environment besides the protocol's own names; never the agent's own, which may hold secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** The plugin's own, made 0700: output, the record by which it is found again. */
  readonly directory: string;
  /** Default 60,000: the protocol's own limit. */
  readonly handshakeMs?: number;
  /** SHA-256 of the program, hexadecimal; another program is not started. Default: any is. */
  readonly checksum?: string;
  /** TLS between us and the plugin: for one that listens on a TCP port, where any process of the host could command it. */
  readonly tls?: boolean;
  readonly log: Log;
  /** It writes more than is read; the rest is left out. */
  readonly flooded?: () => void;
}

export interface LaunchedPlugin {
  readonly pid: number;
  /** For a gRPC client: `unix:/run/plugin123`. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** Of its program, as it was when this process was started. */
  readonly checksum: string;
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
  readonly checksum: string;
  /** Its output is in `stdout.<launch>.log` and `stderr.<launch>.log`: a new version writes beside the old one. */
  readonly launch: string;
  readonly tls?: { readonly certificate: string; readonly key: string; readonly plugin: string };
}

const recordFile = 'plugin.json';

/** `Fault('invalid')`: what it said is no handshake; `Fault('unavailable')`: it ended or said nothing in time; `Fault('denied')`: the checksum. */
export async function launchPlugin(options: LaunchOptions, signal: AbortSignal): Promise<LaunchedPlugin> {
  signal.throwIfAborted();
  const { command, directory } = options;
  const checksum = await checkedSum(options);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { path: socketDirectory, fresh } = await socketDirectoryOf(directory);
  const launch = randomBytes(4).toString('hex');
  const own = options.tls === true ? connectionCertificate(Date.now()) : null;
  const [stdout, stderr] = await Promise.all(
    ['stdout', 'stderr'].map((name) => open(outputFile(directory, name, launch), 'a', 0o600)),
  );
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: environment(options.env, socketDirectory, own),
    stdio: ['ignore', stdout!.fd, stderr!.fd],
    detached: true,
  });
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  child.unref();
  await Promise.all([stdout!.close(), stderr!.close()]);
  try {
    const { network, address, certificate } = await handshakeOf(options, launch, { failed, ended }, signal);
    if (own !== null && certificate === '')
      throw new Fault('unsupported', 'auto_mtls is set, but the plugin answered without a certificate');
    const pid = child.pid ?? 0;
    const { certificate: ours = '', key = '' } = own ?? {};
    const record: PluginRecord = {
      pid,
      startTime: String(startTimeOf(pid)),
      target: network === 'unix' ? `unix:${address}` : address,
      socketDirectory,
      command,
      checksum,
      launch,
      ...(own === null ? {} : { tls: { certificate: ours, key, plugin: certificate } }),
    };
    if (network === 'tcp' && own === null)
      options.log.warn('a plugin listens on a port without TLS: any process of this host can command it', {
        address,
        help: 'auto_mtls = true in its plugin block, where the plugin can',
      });
    await writeFile(join(directory, recordFile), JSON.stringify(record), { mode: 0o600 });
    return await running(record, options, ended, false);
  } catch (error) {
    child.kill('SIGKILL');
    await clear(directory, { socketDirectory, launch, target: '' });
    // it was never told of a task: what it left there is its own
    if (fresh) await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}

/** The plugin a former agent started with this very command and program, if it still runs; another is ended. */
export async function reattachPlugin(options: LaunchOptions): Promise<LaunchedPlugin | null> {
  const { directory } = options;
  let record: PluginRecord;
  try {
    record = JSON.parse(await readFile(join(directory, recordFile), 'utf8')) as PluginRecord;
  } catch {
    return null;
  }
  const startTime = /^\d+$/.test(record.startTime) ? BigInt(record.startTime) : 0n;
  if (!Number.isSafeInteger(record.pid) || record.pid <= 1 || !isAlive(record.pid, startTime)) {
    await clear(directory, record);
    return null;
  }
  const plugin = await running(record, options, gone(record.pid, startTime), true);
  const sum = await checkedSum(options).catch(() => '');
  if (JSON.stringify(record.command) === JSON.stringify(options.command) && record.checksum === sum) return plugin;
  await plugin.stop();
  return null;
}

/** SHA-256 of a file, hexadecimal. */
export async function fileChecksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function checkedSum({ command, checksum: wanted }: LaunchOptions): Promise<string> {
  const [program = ''] = command;
  const found = await fileChecksum(program).catch((error: unknown) => {
    throw new Fault('unavailable', `the plugin cannot be started: ${messageOf(error)}`, { cause: error });
  });
  if (wanted !== undefined && wanted !== '' && wanted.replace(/^sha256:/, '').toLowerCase() !== found)
    throw new Fault(
      'denied',
      `the program's checksum is sha256:${found}, but its plugin block pins ${wanted}: it is not started`,
    );
  return found;
}

const outputFile = (directory: string, name: string, launch: string): string =>
  join(directory, `${name}.${launch}.log`);

/** What one launch left behind. */
async function clear(
  directory: string,
  { socketDirectory, launch, target }: Pick<PluginRecord, 'socketDirectory' | 'launch' | 'target'>,
): Promise<void> {
  await leaveSocketDirectory(socketDirectory, target);
  const files = await readdir(directory).catch(() => []);
  const left = files.filter((name) => name.endsWith(`.${launch}.log`));
  await Promise.all(left.map((name) => rm(join(directory, name), { force: true })));
}

/** It is no child of ours: its end is asked for. */
async function gone(pid: number, startTime: bigint): Promise<void> {
  while (isAlive(pid, startTime)) await sleep(500, undefined, { ref: false });
}

function environment(
  given: Readonly<Record<string, string>>,
  socketDirectory: string,
  own: SelfSigned | null,
): Record<string, string> {
  return {
    ...given,
    ...(own === null ? {} : { [hostCertificateVariable]: own.certificate }),
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
  const { pid, target, launch, checksum, tls } = record;
  const drained = await tailFile(outputFile(directory, 'stdout', launch), () => {});
  const relog = (text: string): void => {
    const { level, message, fields } = parsePluginLine(text);
    log[level](message, fields);
  };
  const said = await tailFile(outputFile(directory, 'stderr', launch), relog, () => {
    log.warn(`a plugin writes more than ${mostBytes} bytes in ${windowMs} ms: the rest is left out`, { pid });
    options.flooded?.();
  });
  let over = false;
  const finished = ended.then(async () => {
    over = true;
    await Promise.all([drained.close(), said.close()]);
    await clear(directory, record);
  });
  const channel = tls === undefined ? credentials.createInsecure() : hostCredentials(tls, tls.plugin);
  return {
    pid,
    target,
    credentials: channel,
    checksum,
    reattached,
    ended: finished,
    async stop() {
      if (!over) {
        await shutDownPlugin(target, AbortSignal.timeout(2000), channel).catch(() => {});
        const timer = setTimeout(() => kill(record), 2000);
        await finished;
        clearTimeout(timer);
      }
      await forget(directory, pid);
    },
    async detach() {
      await Promise.all([drained.close(), said.close()]);
    },
  };
}

/** Unless it is the record of the next version by now. */
async function forget(directory: string, pid: number): Promise<void> {
  const path = join(directory, recordFile);
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text.includes(`"pid":${pid},`)) await rm(path, { force: true });
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
  { directory, handshakeMs = 60_000 }: LaunchOptions,
  launch: string,
  child: { readonly failed: Promise<string>; readonly ended: Promise<void> },
  signal: AbortSignal,
): Promise<Handshake> {
  const limit = Date.now() + handshakeMs;
  let failure = '';
  let over = false;
  void child.failed.then((text) => (failure = text));
  void child.ended.then(() => (over = true));
  for (;;) {
    const wasOver = over;
    const said = await firstBytes(outputFile(directory, 'stdout', launch));
    const [line, rest] = said.split('\n', 2);
    if (rest !== undefined || said.length === longestHandshake) return parseHandshake(line ?? '');
    if (failure !== '') throw new Fault('unavailable', `the plugin cannot be started: ${failure}`);
    if (wasOver)
      throw new Fault('unavailable', `the plugin ended before its handshake${await lastWords(directory, launch)}`);
    const { size } = await stat(outputFile(directory, 'stderr', launch));
    if (size > mostBeforeHandshake)
      throw new Fault('invalid', `the plugin wrote more than ${mostBeforeHandshake} bytes before its handshake`);
    if (Date.now() > limit) throw new Fault('unavailable', `the plugin gave no handshake within ${handshakeMs} ms`);
    await sleep(10, undefined, { signal });
  }
}

/** With a certificate it is below 2 KB. */
const longestHandshake = 16 * 1024;

/** So long nobody reads its errors. */
const mostBeforeHandshake = 64 * 1024 * 1024;

async function firstBytes(path: string): Promise<string> {
  return (await bytesAt(path, () => 0)).toString('latin1');
}

/** A few, from where `from` says for a file of that size. */
async function bytesAt(path: string, from: (size: number) => number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(longestHandshake);
    const { bytesRead } = await file.read(buffer, 0, longestHandshake, from(size));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function lastWords(directory: string, launch: string): Promise<string> {
  const path = outputFile(directory, 'stderr', launch);
  const text = await bytesAt(path, (size) => Math.max(0, size - longestHandshake)).then(String, () => '');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${JSON.stringify(parsePluginLine(last).message.slice(0, 300))}`;
}
