/** `denied_host_uids` and `denied_host_gids`: whom no task of a driver may run as. */
import type { TaskConfig } from '../driver/contract.ts';
import { inRanges, lookUpUser, parseIdRanges } from '../isolation/users.ts';
import { Fault } from '../lib/fault.ts';
import { userUnknown } from './nomad-texts.ts';

/**
 * The uids and gids that an operator keeps tasks from. `check` rejects with `denied` for one of them, by uid, gid or supplementary
 * group.
 */
export class DeniedUsers {
  readonly #uids: ReturnType<typeof parseIdRanges>;
  readonly #gids: ReturnType<typeof parseIdRanges>;

  /** `"0,10-20"`; `Fault('invalid')` names what is no range. */
  constructor(uids: string, gids: string) {
    this.#uids = parseIdRanges(uids);
    this.#gids = parseIdRanges(gids);
  }

  /** `defaultUser` `""`: the agent's own. */
  async check(task: TaskConfig, defaultUser: string): Promise<void> {
    if (this.#uids.length === 0 && this.#gids.length === 0) return;
    const wanted = task.user || defaultUser;
    const user = wanted === '' ? agentUser() : await lookUpUser(wanted).catch(() => null);
    if (user === null) throw new Fault('invalid', userUnknown(wanted));
    if (inRanges(this.#uids, user.uid))
      throw new Fault('denied', `running as uid ${user.uid} is disallowed on this node`);
    const gid = [user.gid, ...user.groups].find((each) => inRanges(this.#gids, each));
    if (gid !== undefined) throw new Fault('denied', `running as gid ${gid} is disallowed on this node`);
  }
}

function agentUser(): { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } {
  return { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1, groups: process.getgroups?.() ?? [] };
}
