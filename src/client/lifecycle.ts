/** In which order the tasks of a group run and end: prestart, main, poststart, poststop; leaders, sidecars, failed siblings. Pure. */

import type { Task } from '../model/task.ts';
import type { TaskEvent } from '../model/task-state.ts';
import { leaderDead, mainTasksDead, siblingFailed } from './task-events.ts';

export type Role = 'prestart' | 'prestart-sidecar' | 'main' | 'poststart' | 'poststart-sidecar' | 'poststop';

/** What the order depends on, for each task of the group. */
export interface Member {
  readonly name: string;
  readonly role: Role;
  readonly leader: boolean;
  readonly state: 'pending' | 'running' | 'dead';
  readonly failed: boolean;
  /** It never got to run: a kill came first. */
  readonly neverStarted: boolean;
}

/** When a task runs, by its `lifecycle` block; without one: `main`. */
export function roleOf(task: Task): Role {
  const lifecycle = task.Lifecycle;
  if (lifecycle === null || lifecycle.Hook === '') return 'main';
  if (lifecycle.Hook === 'poststop') return 'poststop';
  const hook = lifecycle.Hook === 'poststart' ? 'poststart' : 'prestart';
  return lifecycle.Sidecar ? `${hook}-sidecar` : hook;
}

/** The pending tasks whose turn has come. `stopping`: the allocation ends, only poststop tasks begin any more. */
export function allowed(members: readonly Member[], stopping: boolean): readonly string[] {
  const turn = (member: Member): boolean => {
    switch (member.role) {
      case 'prestart':
      case 'prestart-sidecar':
        return !stopping;
      case 'main':
        return !stopping && prestartDone(members);
      case 'poststart':
      case 'poststart-sidecar':
        return !stopping && prestartDone(members) && mainStarted(members);
      case 'poststop':
        return members.every((other) => other.role === 'poststop' || other.state === 'dead');
    }
  };
  return members.filter((member) => member.state === 'pending' && turn(member)).map((member) => member.name);
}

function prestartDone(members: readonly Member[]): boolean {
  return members.every((member) => {
    if (member.role === 'prestart') return member.state === 'dead' && !member.failed;
    return member.role !== 'prestart-sidecar' || member.state !== 'pending';
  });
}

function mainStarted(members: readonly Member[]): boolean {
  return members.every((member) => member.role !== 'main' || (member.state !== 'pending' && !member.neverStarted));
}

export interface Downfall {
  readonly event: TaskEvent;
  readonly victims: readonly string[];
}

/** Why the rest of the group has to end now, and who that is; null: all is well, or nobody is left. */
export function downfall(members: readonly Member[]): Downfall | null {
  const group = members.filter((member) => member.role !== 'poststop');
  const alive = group.filter((member) => member.state !== 'dead');
  if (alive.length === 0) return null;
  const victims = alive.map((member) => member.name);
  const failed = group.find((member) => member.state === 'dead' && member.failed);
  if (failed !== undefined) return { event: siblingFailed(failed.name), victims };
  if (group.some((member) => member.leader && member.state === 'dead')) return { event: leaderDead, victims };
  const onlySidecars = alive.every((member) => member.role.endsWith('-sidecar'));
  const mains = group.filter((member) => member.role === 'main');
  if (onlySidecars && mains.every((member) => member.state === 'dead')) return { event: mainTasksDead, victims };
  return null;
}

/** Who is killed together, one wave after the other: the leader, then the others, sidecars last. Poststop tasks are not killed. */
export function killWaves(members: readonly Member[]): readonly (readonly string[])[] {
  const alive = members.filter((member) => member.state !== 'dead' && member.role !== 'poststop');
  const wave = (member: Member): number => (member.leader ? 0 : member.role.endsWith('-sidecar') ? 2 : 1);
  return [0, 1, 2]
    .map((n) => alive.filter((member) => wave(member) === n).map((member) => member.name))
    .filter((names) => names.length > 0);
}

/** Nomad's client status. It becomes terminal only once every task is dead: before, the servers would replace what still runs. */
export function clientStatus(members: readonly Member[]): { readonly status: string; readonly description: string } {
  if (members.some((member) => member.state === 'running'))
    return { status: 'running', description: 'Tasks are running' };
  if (members.length === 0 || members.some((member) => member.state === 'pending')) {
    return { status: 'pending', description: 'No tasks have started' };
  }
  if (members.some((member) => member.failed)) return { status: 'failed', description: 'Failed tasks' };
  return { status: 'complete', description: 'All tasks have completed' };
}
