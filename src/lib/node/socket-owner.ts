/** Who holds the other end of a local TCP connection: Linux only, read from /proc. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';

export interface PeerSocket {
  readonly uid: number;
  /** The socket's inode. */
  readonly inode: string;
}

/** The socket of the process at the other end of a connection within this host; undefined where the kernel does not list it. */
export async function peerSocket(connection: {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
}): Promise<PeerSocket | undefined> {
  const remote = hexPort(connection.remotePort);
  const local = hexPort(connection.localPort);
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readText(table)).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (!columns[1]?.endsWith(`:${remote}`) || !columns[2]?.endsWith(`:${local}`)) continue;
      return { uid: Number(columns[7]), inode: columns[9]! };
    }
  }
  return undefined;
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
