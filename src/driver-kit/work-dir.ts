/** The directory that a task begins in: what is known of it before the start, in the words of a start that found it missing. */
import type { TaskConfig } from '../driver/contract.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { followed, Miss, type Places, sandboxPlaces } from '../isolation/launch/task-view.ts';
import { rankOf } from '../isolation/lines.ts';
import type { PrepareRequest } from '../isolation/prepare-request.ts';
import { mayPass } from '../isolation/task-identity.ts';
import { Fault } from '../lib/fault.ts';
import { launchFailed } from './nomad-texts.ts';
import { mayCome } from './rehearsal.ts';

/** `reason`: the system's words. */
export function workDirFault(path: string, reason: string, cause?: unknown): Fault {
  return new Fault('invalid', launchFailed(`working directory ${JSON.stringify(path)}: ${reason}`), { cause });
}

/** Throws where the task surely cannot begin there. `reach`: the rank of its rung. */
export function rehearseWorkDir(host: IsolationHost, request: PrepareRequest, reach: number, task: TaskConfig): void {
  const { workDir } = request.launch;
  if (process.platform === 'win32' || workDir === '' || mayCome(task, workDir)) return;
  const seen = reach >= rankOf('sandbox') ? sandboxPlaces(request.launch, host.system) : onHost;
  const places: Places = (path) => (mayCome(task, path) ? 'open' : seen(path));
  const found = followed(workDir, places, (directory) => mayPass(host, request, reach, directory));
  if (found instanceof Miss) throw workDirFault(workDir, found.text);
  if (found === 'open' || found.host === null) return;
  const { stats } = found.host;
  if (!stats.isDirectory()) throw workDirFault(workDir, 'Not a directory');
  if (!mayPass(host, request, reach, stats)) throw workDirFault(workDir, 'Permission denied');
}

const onHost: Places = (path) => ({ host: path });
