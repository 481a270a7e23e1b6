/** `denied_host_uids` and `denied_host_gids`: whom no task of a driver may run as. */
import type { TaskConfig } from '../driver/contract.ts';
import { inRanges, lookUpUser, parseIdRanges, userNames } from '../isolation/users.ts';
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

  /** Those of the host's users it refuses, by name and uid, and the uids. Nothing where it refuses nobody. */
  async attributes(driver: string, uids = '', defaultUser = ''): Promise<Readonly<Record<string, string>>> {
    if (this.#uids.length === 0 && this.#gids.length === 0) return {};
    const refused: string[] = [];
    for (const name of userNames()) {
      const user = await lookUpUser(name);
      const gids = [user.gid, ...user.groups];
      if (inRanges(this.#uids, user.uid) || gids.some((gid) => inRanges(this.#gids, gid)))
        refused.push(name, String(user.uid));
    }
    return {
      [`${driver}.default_user`]: defaultUser || String(agentUser().uid),
      ...(refused.length === 0 ? {} : { [`${driver}.denied_users`]: refused.join(',') }),
      ...(uids === '' ? {} : { [`${driver}.denied_host_uids`]: uids }),
    };
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
