/**
 * The API must not be the way out of a sandbox: a task that shares the host's network could otherwise submit a job that runs
 * unconfined. A connection is refused when its other end is held by a process of another pid namespace (every task at rung 2 or above
 * lives in one of its own), or belongs to a uid that only tasks have.
 * Unlike Nomad: there any task that reaches the port may use the API. Off switch: `api { allow_tasks = true }`.
 */
import type { Socket } from 'node:net';
import { Fault } from '../lib/fault.ts';
import { heldInOtherPidNamespace, peerSocket } from '../lib/node/socket-owner.ts';

export interface TaskUids {
  /** Inclusive; uids given to tasks and to nobody else. */
  readonly first: number;
  readonly last: number;
}

/** Resolves when the connection may be served; `Fault('denied')` when it comes from a task. Off Linux everything is served. */
export function refuseTasks(taskUids: readonly TaskUids[]): (socket: Socket) => Promise<void> {
  return async (socket) => {
    const { remoteAddress, remotePort, localPort } = socket;
    if (
      process.platform !== 'linux' ||
      remoteAddress === undefined ||
      remotePort === undefined ||
      localPort === undefined
    )
      return;
    const peer = await peerSocket({ remoteAddress, remotePort, localPort });
    if (peer === undefined) return; // not of this host: the listener's address decides who gets that far
    const ofTask = taskUids.some(({ first, last }) => peer.uid >= first && peer.uid <= last);
    if (ofTask || (await heldInOtherPidNamespace(peer)) !== undefined)
      throw new Fault(
        'denied',
        "requests from inside a sandboxed task are refused; to allow them set api { allow_tasks = true } in the agent's configuration",
      );
  };
}
