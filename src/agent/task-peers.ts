/**
 * The API must not be the way out of a sandbox: a task that shares the host's network could otherwise submit a job that runs
 * unconfined. A connection from this host is served only when its other end is seen to be held by a process of the agent's own pid namespace
 * (every task at rung 2 or above lives in one of its own); a uid that only tasks have is refused at once. An agent without root cannot look
 * into other users' processes: it serves those, because its tasks have its own uid.
 * Unlike Nomad: there any task that reaches the port may use the API. Off switch: `api { allow_tasks = true }`.
 */
import type { Socket } from 'node:net';
import { Fault } from '../lib/fault.ts';
import { isLoopback } from '../lib/node/loopback.ts';
import { holderInOwnPidNamespace, type PeerSocket, peerSocket } from '../lib/node/socket-owner.ts';

export interface TaskUids {
  /** Inclusive; uids given to tasks and to nobody else. */
  readonly first: number;
  readonly last: number;
}

/** Resolves when the connection may be served; `Fault('denied')` when it comes from a task. Off Linux everything is served. */
export function refuseTasks(taskUids: readonly TaskUids[]): (socket: Socket) => Promise<void> {
  return async (socket) => {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (
      process.platform !== 'linux' ||
      remoteAddress === undefined ||
      remotePort === undefined ||
      localAddress === undefined ||
      localPort === undefined
    )
      return;
    const peer = await peerSocket({ remoteAddress, remotePort, localAddress, localPort });
    if (!(await mayBeServed(peer, remoteAddress, localAddress, taskUids)))
      throw new Fault(
        'denied',
        "requests from inside a sandboxed task, or from whom the agent cannot identify, are refused; to allow them set api { allow_tasks = true } in the agent's configuration",
      );
  };
}

async function mayBeServed(
  peer: PeerSocket | undefined,
  remoteAddress: string,
  localAddress: string,
  taskUids: readonly TaskUids[],
): Promise<boolean> {
  // another host's: the listener's address decides who gets that far. One of this host that is gone already could be anybody's.
  if (peer === undefined) return !isLoopback(unmapped(remoteAddress)) && remoteAddress !== localAddress;
  if (taskUids.some(({ first, last }) => peer.uid >= first && peer.uid <= last)) return false;
  const own = process.getuid?.();
  if (own !== 0 && peer.uid !== own && peer.inode !== '0') return true;
  return (await holderInOwnPidNamespace(peer)) !== undefined;
}

/** `::ffff:127.0.0.1` → `127.0.0.1` */
const unmapped = (address: string): string => address.replace(/^::ffff:/, '');
