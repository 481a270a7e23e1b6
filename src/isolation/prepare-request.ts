/** What is asked of the ladder for one task. */
import type { IsolationRung, IsolationWish } from '../driver/contract.ts';
import type { CgroupLimits } from './cgroup/limits.ts';
import type { TaskCgroup } from './cgroup/task-cgroup.ts';
import type { LaunchRequest } from './launch/launch.ts';
import type { Tried } from './tries.ts';

export interface PrepareRequest {
  readonly wish: IsolationWish;
  readonly floor: IsolationRung;
  /** Lines that must be there whatever the rung. */
  readonly required?: readonly string[];
  /** What the way in which this task is isolated was shown to stop; null: nothing could be tried. */
  readonly tried?: Tried | null;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits;
  /** False: a supervisor that can start plain processes only. */
  readonly nativeShim: boolean;
  /** True: the job itself names its user. */
  readonly userNamed: boolean;
  readonly launch: LaunchRequest;
}
