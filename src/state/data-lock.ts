/**
 * One agent per data directory.
 *
 * On Linux the lock is an abstract unix socket named after the directory: the kernel frees it with its process, however that ends, and who
 * finds it taken asks it who holds it. A file beside it names the holder to those who cannot reach that socket (another network namespace)
 * and is the whole lock on other systems; it is stale when its process is gone, or is another one with the same number.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Fault, isFault } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { startOfProcess } from '../lib/node/process-start.ts';

export interface Holder {
  readonly pid: number;
  /** Tells the process from a later one with the same number; '' where the system does not say. */
  readonly started: string;
  /** What it calls itself: `drover agent (node1)`. */
  readonly name: string;
}

export interface DataLock {
  release(): Promise<void>;
}

const fileName = 'agent.lock';
const askTimeoutMs = 500;

/** Takes the lock of a data directory (made where it is missing). `Fault('conflict')` naming the holder where it is taken. */
export async function lockDataDirectory(directory: string, name: string): Promise<DataLock> {
  // passable, not readable: tasks of other users reach their own directories below it
  makeDirectories(directory, 0o711);
  const holder: Holder = { pid: process.pid, started: startOfProcess(process.pid), name };
  const socket = await holdSocket(directory, holder);
  try {
    const file = join(directory, fileName);
    holdFile(directory, file, holder);
    return {
      release: async () => {
        rmSync(file, { force: true });
        await new Promise((resolve) => (socket === null ? resolve(null) : socket.close(resolve)));
      },
    };
  } catch (error) {
    socket?.close();
    throw error;
  }
}

function holdFile(directory: string, file: string, holder: Holder): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, JSON.stringify(holder));
      closeSync(descriptor);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const other = readHolder(file);
    if (other !== null && isAlive(other)) throw taken(directory, other);
    rmSync(file, { force: true });
  }
  throw new Fault('conflict', `the data directory ${directory} is being taken by another agent`);
}

/** null where the system has no abstract sockets. */
async function holdSocket(directory: string, holder: Holder): Promise<Server | null> {
  if (process.platform !== 'linux') return null;
  const name = `\0drover-${createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 40)}`;
  const server = createServer((peer) => {
    peer.on('error', () => {});
    peer.end(JSON.stringify(holder));
  });
  server.unref();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(name, resolve);
    });
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return null;
    throw taken(directory, (await askSocket(name)) ?? readHolder(join(directory, fileName)));
  }
}

function askSocket(name: string): Promise<Holder | null> {
  return new Promise((resolve) => {
    let text = '';
    const peer = connect(name);
    peer.setTimeout(askTimeoutMs, () => peer.destroy());
    peer.on('data', (data) => (text += data.toString()));
    peer.on('error', () => {});
    peer.on('close', () => resolve(parseHolder(text)));
  });
}

function taken(directory: string, holder: Holder | null): Fault {
  const who = holder === null ? 'another agent' : `${holder.name} (pid ${holder.pid})`;
  return new Fault('conflict', `the data directory ${directory} is in use by ${who}`);
}

function readHolder(file: string): Holder | null {
  try {
    return parseHolder(readFileSync(file, 'utf8'));
  } catch (error) {
    if (isFault(error) || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function parseHolder(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    if (typeof holder?.pid !== 'number') return null;
    return { pid: holder.pid, started: String(holder.started ?? ''), name: String(holder.name ?? 'an agent') };
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const started = startOfProcess(holder.pid);
  return holder.pid !== process.pid && (started === '' || holder.started === '' || started === holder.started);
}
