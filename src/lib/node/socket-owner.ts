/** Who holds the other end of a local TCP connection: Linux only, read from /proc. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
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
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readText(table)).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      // whole addresses: who connects from 127.0.0.2 by the port of somebody else must not pass for them
      if (!theirs.includes(columns[1] ?? '') || !ours.includes(columns[2] ?? '')) continue;
      return { uid: Number(columns[7]), inode: columns[9]! };
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
  const own = await readLinkText('/proc/self/ns/pid');
  // the newest first: it is most often a command that was just started
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  for (const pid of pids) {
    if ((await uidOf(pid)) !== socket.uid) continue;
    if ((await readLinkText(`/proc/${pid}/ns/pid`)) === own && (await holds(pid, socket.inode))) return Number(pid);
  }
  return undefined;
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
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    for (const inode of inodes) {
      if (!(await holds(name, inode))) continue;
      return { pid: Number(name), command: (await readText(`/proc/${name}/comm`)).trim() };
    }
  }
  return undefined;
}

async function holds(pid: string, inode: string): Promise<boolean> {
  try {
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      if ((await readLinkText(`/proc/${pid}/fd/${fd}`)) === `socket:[${inode}]`) return true;
    }
  } catch {
    // it ended meanwhile, or is not ours to look into
  }
  return false;
}

async function uidOf(pid: string): Promise<number | undefined> {
  try {
    return (await stat(`/proc/${pid}`)).uid;
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

async function readLinkText(path: string): Promise<string> {
  try {
    return await readlink(path);
  } catch {
    return '';
  }
}

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
