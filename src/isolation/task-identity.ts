/** Whose id a task has on the host, once it is known at which rung it runs. */
import type { Stats } from 'node:fs';
import { agentHolds } from './capabilities.ts';
import type { IsolationHost } from './isolation-host.ts';
import { rankOf } from './lines.ts';
import type { PrepareRequest } from './prepare-request.ts';

/** Root may, and who was given the capability. */
export function becomes(own: number, uid: number): boolean {
  return own === 0 || own === uid || process.platform !== 'linux' || agentHolds('SETUID');
}

/** Of a task without a sandbox: it runs as another user than root. */
export function hasOtherId(host: IsolationHost, request: PrepareRequest, reach: number): boolean {
  const named = (request.launch.user?.uid ?? 0) !== 0;
  if (reach < rankOf('process')) return named;
  return host.uids !== null && (named || !keepsUser(request));
}

/** It keeps the uid of the user whom its job names. */
export function keepsUser({ launch, userNamed, wish }: PrepareRequest): boolean {
  if (!userNamed || launch.user === null) return false;
  return (launch.user.uid !== 0 && launch.mounts.length > 0) || rankOf(wish.prefer) < rankOf('sandbox');
}

/**
 * False: whoever the task runs as here, it surely does not get through that directory. An id of its own is named by no access list, and is in no
 * group but its own.
 */
export function mayPass(host: IsolationHost, request: PrepareRequest, reach: number, directory: Stats): boolean {
  const { mode, uid } = directory;
  const { user, capabilities } = request.launch;
  if (capabilities.length > 0 || process.platform !== 'linux') return true;
  if (host.uid !== 0) return uid === host.uid || uid === user?.uid || (mode & 0o011) !== 0;
  if (!hasOtherId(host, request, reach)) return true;
  if (reach >= rankOf('process') && !keepsUser(request)) return (mode & 0o001) !== 0;
  return uid === user?.uid || (mode & 0o011) !== 0;
}
