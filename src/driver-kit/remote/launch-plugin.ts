/**
 * Starts a plugin's program and reads its handshake, or finds one again that a former agent left.
 *
 *   spawned (own session, output to a sink of ours) → handshake line → running → told to end | died
 *                                                              ↑ found again by pid and start time
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, renameSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { cookie, type Handshake, parseHandshake, protocolVersion } from '../../driver/handshake.ts';
import { lastReason, parsePluginLine } from '../../driver/hclog.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import type { SelfSigned } from '../../lib/node/self-signed.ts';
import { spawn } from '../../lib/node/spawn.ts';
import type { Supervisor } from '../../supervise/contract.ts';
import { isAlive, startTimeOf } from '../../supervise/this-host.ts';
import { connectionCertificate, hostCertificateVariable, hostCredentials } from '../plugin-tls.ts';
import { PluginOutput } from './plugin-output.ts';
import { shutDownPlugin } from './remote-driver.ts';
import { leaveSocketDirectory, socketDirectoryOf } from './socket-directory.ts';
import { fileBytes, newestIndex, tailFiles } from './tail-files.ts';

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
  /** Its shims keep what the plugin writes. */
  readonly supervisor: Supervisor;
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
  /** From now on it is the one that the next agent finds; until then that one ends it. */
  use(): void;
  /** Asks it to end, and kills it after 2 s. Its tasks stay. */
  stop(): Promise<void>;
  /** Stops listening; the plugin goes on. */
  detach(): Promise<void>;
}

interface PluginRecord {
  readonly pid: number;
  readonly startTime: string;
  /** `""`: it has not said its handshake. */
  readonly target: string;
  readonly socketDirectory: string;
  readonly command: readonly string[];
  readonly checksum: string;
  readonly launch: string;
  readonly tls?: { readonly certificate: string; readonly key: string; readonly plugin: string };
}

/** Of the process that is used; the next agent finds it by this. */
const recordFile = 'plugin.json';
/** Of one that is not used yet, beside another that is: the next agent ends it. */
const newFile = 'plugin.new.json';

/** `Fault('invalid')`: what it said is no handshake; `Fault('unavailable')`: it ended or said nothing in time; `Fault('denied')`: the checksum. */
export async function launchPlugin(options: LaunchOptions, signal: AbortSignal): Promise<LaunchedPlugin> {
  signal.throwIfAborted();
  const { command, directory } = options;
  const checksum = await checkedSum(options);
  makeDirectories(directory, 0o700);
  const { path: socketDirectory, fresh } = await socketDirectoryOf(directory);
  const launch = randomBytes(4).toString('hex');
  const output = new PluginOutput(options.supervisor, directory, launch);
  const own = options.tls === true ? connectionCertificate(Date.now()) : null;
  let begun: PluginRecord = { pid: 0, startTime: '0', target: '', socketDirectory, command, checksum, launch };
  let child: Child | undefined;
  try {
    child = await spawned(options, output, environment(options.env, socketDirectory, own));
    const { pid, ended } = child;
    begun = { ...begun, pid, startTime: String(startTimeOf(pid)) };
    await keep(directory, begun);
    const { network, address, certificate } = await handshakeOf(options, output, child, signal);
    if (own !== null && certificate === '')
      throw new Fault('unsupported', 'auto_mtls is set, but the plugin answered without a certificate');
    const { certificate: ours = '', key = '' } = own ?? {};
    const record: PluginRecord = {
      ...begun,
      target: network === 'unix' ? `unix:${address}` : address,
      ...(own === null ? {} : { tls: { certificate: ours, key, plugin: certificate } }),
    };
    if (network === 'tcp' && own === null)
      options.log.warn('a plugin listens on a port without TLS: any process of this host can command it', {
        address,
        help: 'auto_mtls = true in its plugin block, where the plugin can',
      });
    await keep(directory, record);
    return await running(record, options, ended, false);
  } catch (error) {
    child?.kill();
    await clear(options, begun);
    await rm(join(directory, newFile), { force: true });
    // it was never told of a task: what it left there is its own
    if (fresh) await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}

interface Child {
  readonly pid: number;
  /** It could not be executed, with the reason. */
  readonly failed: Promise<string>;
  readonly ended: Promise<void>;
  /** With what it started: it was told of no task yet. */
  kill(): void;
}

async function spawned({ command }: LaunchOptions, output: PluginOutput, env: Record<string, string>): Promise<Child> {
  const [stdout, stderr] = await output.open();
  try {
    const child = spawn(command[0] ?? '', command.slice(1), {
      env,
      stdio: ['ignore', stdout.fd, stderr.fd],
      detached: true,
    });
    const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    child.unref();
    return { pid: child.pid ?? 0, failed, ended, kill: () => killGroup(child.pid ?? 0) };
  } finally {
    await Promise.all([stdout.close(), stderr.close()]);
  }
}

/** The plugin a former agent started with this very command and program, if it still runs; another is ended. */
export async function reattachPlugin(options: LaunchOptions): Promise<LaunchedPlugin | null> {
  const { directory } = options;
  // one that a former agent was about to use, or to put in the place of another, was told of no task yet
  await (await leftBehind(options, newFile))?.stop();
  const record = await readRecord(join(directory, recordFile));
  const plugin = await leftBehind(options, recordFile);
  if (record === null || plugin === null) return null;
  const sum = await checkedSum(options).catch(() => '');
  const same = JSON.stringify(record.command) === JSON.stringify(options.command) && record.checksum === sum;
  if (same && (await outputOf(options, record).isCollected())) return plugin;
  await plugin.stop();
  return null;
}

async function readRecord(path: string): Promise<PluginRecord | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as PluginRecord;
  } catch {
    return null;
  }
}

/** The process of a record, if it still runs; what is left of it where it does not is removed. */
async function leftBehind(options: LaunchOptions, file: string): Promise<LaunchedPlugin | null> {
  const record = await readRecord(join(options.directory, file));
  if (record === null) return null;
  const startTime = /^\d+$/.test(record.startTime) ? BigInt(record.startTime) : 0n;
  if (Number.isSafeInteger(record.pid) && record.pid > 1 && isAlive(record.pid, startTime))
    return running(record, options, gone(record.pid, startTime), true);
  await clear(options, record);
  return null;
}

const outputOf = ({ supervisor, directory }: LaunchOptions, { launch }: Pick<PluginRecord, 'launch'>): PluginOutput =>
  new PluginOutput(supervisor, directory, launch);

const keep = (directory: string, record: PluginRecord): Promise<void> =>
  writeFile(join(directory, newFile), JSON.stringify(record), { mode: 0o600 });

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

/** What one launch left behind. */
async function clear(options: LaunchOptions, record: PluginRecord): Promise<void> {
  await leaveSocketDirectory(record.socketDirectory, record.target);
  await outputOf(options, record).remove();
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
  const { pid, target, checksum, tls } = record;
  const output = outputOf(options, record);
  const relog = (text: string): void => {
    const { level, message, fields } = parsePluginLine(text);
    log[level](message, fields);
  };
  const said = await tailFiles(output.path('stderr'), relog, (bytes) => {
    log.warn('a plugin writes more than anybody reads: some is left out', { pid, bytes });
    options.flooded?.();
  });
  let over = false;
  const channel = tls === undefined ? credentials.createInsecure() : hostCredentials(tls, tls.plugin);
  const left = ended.then(async () => {
    over = true;
    // a shell that did not `exec` the plugin can end without it: nobody else would ever tell that one to
    if (target !== '') await shutDownPlugin(target, AbortSignal.timeout(500), channel).catch(() => {});
    return leaveSocketDirectory(record.socketDirectory, target);
  });
  // the next life need not wait for the last words of this one
  const finished = left.then(async () => {
    const dropped = await output.end();
    if (dropped > 0n) log.warn('what a plugin wrote found no place on the disk', { pid, bytes: String(dropped) });
    await said.close();
    await output.remove();
  });
  finished.catch((error: unknown) => log.warn('output of a plugin is left behind', { pid, reason: messageOf(error) }));
  return {
    pid,
    target,
    credentials: channel,
    checksum,
    reattached,
    ended: left,
    use() {
      if (!reattached) renameSync(join(directory, newFile), join(directory, recordFile));
    },
    async stop() {
      if (!over) {
        if (target === '') kill(record);
        else await shutDownPlugin(target, AbortSignal.timeout(2000), channel).catch(() => {});
      }
      // again and again, for that also keeps this process here until it is over: a child that is let go does not
      const timer = setInterval(() => kill(record), 2000);
      await left;
      await finished.catch(() => {});
      clearInterval(timer);
      await forget(directory, pid);
    },
    async detach() {
      await said.close();
    },
  };
}

async function forget(directory: string, pid: number): Promise<void> {
  for (const path of [join(directory, newFile), join(directory, recordFile)])
    if ((await readRecord(path))?.pid === pid) await rm(path, { force: true });
}

/** A program that is started by a shell is not the process that we know. */
function killGroup(pid: number): void {
  try {
    if (pid > 1) process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
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
  { handshakeMs = 60_000 }: LaunchOptions,
  output: PluginOutput,
  child: Child,
  signal: AbortSignal,
): Promise<Handshake> {
  const limit = Date.now() + handshakeMs;
  let failure = '';
  let over = false;
  void child.failed.then((text) => (failure = text));
  void child.ended.then(() => (over = true));
  for (;;) {
    const wasOver = over;
    // all that it wrote is in the files then
    if (wasOver) await output.end();
    const said = await firstBytes(`${output.path('stdout')}.0`);
    const [line, rest] = said.split('\n', 2);
    if (rest !== undefined || said.length === longestHandshake) return parseHandshake(line ?? '');
    if (failure !== '') throw new Fault('unavailable', `the plugin cannot be started: ${failure}`);
    if (wasOver) throw new Fault('unavailable', `the plugin ended before its handshake${await lastWords(output)}`);
    if ((await newestIndex(output.path('stderr'))) * fileBytes >= mostBeforeHandshake)
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

/** A few, from where `from` says for a file of that size; none of a file that is not there. */
async function bytesAt(path: string, from: (size: number) => number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => null);
  if (file === null) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(longestHandshake);
    const { bytesRead } = await file.read(buffer, 0, longestHandshake, from(size));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function lastWords(output: PluginOutput): Promise<string> {
  const path = output.path('stderr');
  const newest = `${path}.${Math.max(0, await newestIndex(path))}`;
  const text = String(await bytesAt(newest, (size) => Math.max(0, size - longestHandshake)));
  const last = lastReason(text);
  return last === '' ? '' : `: ${JSON.stringify(last.slice(0, 300))}`;
}
