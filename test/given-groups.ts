/** Control groups of version 1 that belong to an ordinary user, as an administrator gives them. */
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const canGiveGroups = existsSync('/sys/fs/cgroup/memory/tasks');

/** Of `user`; `before`: what the shell does that then starts its agent. */
export function giveGroups(user: number) {
  const groups = ['cpu', 'cpuset', 'memory', 'pids', 'freezer']
    .map((name) => `/sys/fs/cgroup/${name}/drover-given-${process.pid}`)
    .filter((path) => existsSync(join(path, '../tasks')));
  for (const path of groups) {
    mkdirSync(path);
    if (path.includes('/cpuset/'))
      for (const name of ['cpuset.cpus', 'cpuset.mems'])
        writeFileSync(join(path, name), readFileSync(join(path, '..', name), 'utf8').trim());
    for (const name of ['.', 'cgroup.procs', 'tasks']) chownSync(join(path, name), user, user);
  }
  return {
    groups,
    before: `for group in ${groups.join(' ')}; do echo $$ >$group/cgroup.procs || exit 1; done`,
    remove: () => {
      for (const path of groups)
        for (const each of [...readdirSync(path, { recursive: true, withFileTypes: true })]
          .filter((entry) => entry.isDirectory())
          .map((entry) => join(entry.parentPath, entry.name))
          .sort()
          .reverse()
          .concat(path))
          rmdirSync(each);
    },
  };
}
