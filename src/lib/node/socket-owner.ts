/** Who holds the other end of a local TCP connection: Linux only, read from /proc. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';

export interface PeerSocket {
  readonly uid: number;
  /** The socket's inode. */
  readonly inode: string;
}

/** The socket of the process at the other end of a connection within this host; undefined where the kernel does not list it. */
export async function peerSocket(connection: {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}): Promise<PeerSocket | undefined> {
  const theirs = endpoints(connection.remoteAddress, connection.remotePort);
  const ours = endpoints(connection.localAddress, connection.localPort);
  // whole addresses: who connects from 127.0.0.2 by the port of somebody else must not pass for them
  const wanted = theirs.flatMap((their) => ours.map((our) => ` ${their} ${our} `));
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readText(table);
    for (const each of wanted) {
      const at = text.indexOf(each);
      if (at < 0) continue;
      // from the local address on: state, queues, timer, retransmits, uid, timeout, inode
      const columns = text
        .slice(at, at + 300)
        .split('\n', 1)[0]!
        .trim()
        .split(/\s+/);
      return { uid: Number(columns[6]), inode: columns[8]! };
    }
  }
  return undefined;
}

/** As the kernel's tables write it; an IPv4 address is also one of IPv6. */
function endpoints(address: string, port: number): readonly string[] {
  const words = addressWords(address);
  const [v4] = words.slice(3);
  const all = words.map(hexWord).join('');
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return (mapped ? [hexWord(v4!), all] : [all]).map((hex) => `${hex}:${hexPort(port)}`);
}

/** Four words in the order of the network; an IPv4 address as ::ffff:a.b.c.d. */
function addressWords(address: string): readonly number[] {
  const [text = ''] = address.split('%');
  const dotted = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(text);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    return [0, 0, 0xffff, ((a << 24) | (b << 16) | (c << 8) | d) >>> 0];
  }
  const [left = '', right] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((each) => Number.parseInt(each, 16));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const full = [...head, ...new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
  return [0, 2, 4, 6].map((at) => (((full[at] ?? 0) << 16) | (full[at + 1] ?? 0)) >>> 0);
}

/** The kernel prints each word as this machine's memory holds it. */
function hexWord(word: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(word);
  return (endianness() === 'LE' ? bytes.reverse() : bytes).toString('hex').toUpperCase();
}

/**
 * The process of this pid namespace that holds the socket. Undefined: nobody that can be looked into does. A socket on its way between
 * two processes is held by none, and a process may close itself to others of its uid: whoever decides by this must take undefined for no.
 */
export async function holderInOwnPidNamespace(socket: PeerSocket): Promise<number | undefined> {
  const own = linkText('/proc/self/ns/pid');
  const pause = pauses();
  for (const candidates of [() => [...holders], processes]) {
    for (const pid of candidates()) {
      await pause();
      if (uidOf(pid) !== socket.uid || linkText(`/proc/${pid}/ns/pid`) !== own) continue;
      if (!(await holds(pid, socket.inode, pause))) continue;
      remember(pid);
      return Number(pid);
    }
  }
  return undefined;
}

/** Who held connections last, and is most often who holds the next: looked at before thousands of others, and as closely. */
let holders: readonly string[] = [];
const mostHolders = 8;

function remember(pid: string): void {
  holders = [pid, ...holders.filter((each) => each !== pid)].slice(0, mostHolders);
}

/** The newest first: it is most often a command that was just started. */
const processes = (): string[] =>
  namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a));

const sliceMs = 2;

/**
 * What /proc says is asked without waiting for a thread, which takes some microseconds instead of a tenth of a millisecond, thousands of
 * times for one connection; every two milliseconds others get a turn.
 */
function pauses(): () => Promise<void> | undefined {
  let until = performance.now() + sliceMs;
  return () => {
    if (performance.now() < until) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        until = performance.now() + sliceMs;
        resolve();
      }),
    );
  };
}

const listening = '0A';

/** The process of this host that listens on a port; undefined where the kernel does not tell us (another user's, another system). */
export async function listenerOf(
  port: number,
): Promise<{ readonly pid: number; readonly command: string } | undefined> {
  const inodes: string[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readText(table)).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(`:${hexPort(port)}`) && columns[3] === listening) inodes.push(columns[9]!);
    }
  }
  if (inodes.length === 0) return undefined;
  const pause = pauses();
  for (const pid of processes()) {
    for (const inode of inodes) {
      if (!(await holds(pid, inode, pause))) continue;
      return { pid: Number(pid), command: (await readText(`/proc/${pid}/comm`)).trim() };
    }
  }
  return undefined;
}

async function holds(pid: string, inode: string, pause: () => Promise<void> | undefined): Promise<boolean> {
  for (const fd of namesIn(`/proc/${pid}/fd`)) {
    if (linkText(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`) return true;
    await pause();
  }
  return false;
}

/** Nothing of a process that ended meanwhile, or is not ours to look into; so with the others. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function uidOf(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return undefined;
  }
}

function linkText(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
