/** What isolation this host can give, found out once per agent start, and the way from a wish to a checked task. */
import type { IsolationRung, IsolationWish } from '../driver/contract.ts';
import { type CgroupHost, openCgroups } from './cgroup/hierarchy.ts';

export interface IsolationHost {
  readonly cgroups: CgroupHost;
  /** The agent's own uid; 0 can give tasks other ones. */
  readonly uid: number;
}

export interface IsolationOptions {
  /** Below each hierarchy: `"drover.slice"`. */
  readonly cgroupParent: string;
}

export type { IsolationRung, IsolationWish };

export async function openIsolation(options: IsolationOptions): Promise<IsolationHost> {
  return { cgroups: await openCgroups(options.cgroupParent), uid: process.getuid?.() ?? -1 };
}
