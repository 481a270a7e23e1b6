/**
 * The API must not be the way out of a sandbox: a task that shares the host's network could otherwise submit a job that runs
 * unconfined. A connection from this host is served only when its other end is seen to be held by a process of the agent's own pid namespace
 * (every task at rung 2 or above lives in one of its own); a uid that only tasks have is refused at once. An agent without root cannot look
 * into other users' processes: it serves those whose uid is none of what users have for tasks and containers, because its tasks have such or its own.
 * Unlike Nomad: there any task that reaches the port may use the API. Off switch: `api { allow_tasks = true }`.
 */
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type IdRange, inRanges } from '../isolation/users.ts';
import { Fault } from '../lib/fault.ts';
import { isLoopback } from '../lib/node/loopback.ts';
import { holderInOwnPidNamespace, peerSocket } from '../lib/node/socket-owner.ts';

type Peer = Partial<Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>>;

/** `taskUids`: given to tasks and to nobody else. Resolves when the connection may be served; `Fault('denied')` when it comes from a task. Off Linux, and over no network, everything is served. */
export function refuseTasks(taskUids: () => readonly IdRange[]): (socket: Peer, overTcp: boolean) => Promise<void> {
  return async (socket, overTcp) => {
    if (process.platform !== 'linux' || !overTcp) return;
    if (!(await mayBeServed(socket, taskUids)))
      throw new Fault(
        'denied',
        "requests from inside a sandboxed task, or from whom the agent cannot identify, are refused; to allow them set api { allow_tasks = true } in the agent's configuration",
      );
  };
}

async function mayBeServed(
  { remoteAddress, remotePort, localAddress, localPort }: Peer,
  taskUids: () => readonly IdRange[],
): Promise<boolean> {
  // who has reset the connection already has no address; what it sent before would be done all the same
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined)
    return false;
  const peer = await peerSocket({ remoteAddress, remotePort, localAddress, localPort });
  // another host's: the listener's address decides who gets that far. One of this host that is gone already could be anybody's.
  if (peer === undefined) return remoteAddress !== localAddress && !isOfThisHost(unmapped(remoteAddress));
  if (inRanges(taskUids(), peer.uid)) return false;
  const own = process.getuid?.();
  if (own !== 0 && peer.uid !== own && peer.inode !== '0') return true;
  return (await holderInOwnPidNamespace(peer)) !== undefined;
}

function isOfThisHost(address: string): boolean {
  const [own] = address.split('%');
  return (
    isLoopback(address) ||
    Object.values(networkInterfaces()).some((all) => all?.some((each) => each.address.split('%')[0] === own) === true)
  );
}

/** `::ffff:127.0.0.1` → `127.0.0.1` */
const unmapped = (address: string): string => address.replace(/^::ffff:/, '');
