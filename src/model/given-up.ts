/** What the options of a container cost it of the ladder's lines, as far as a job tells: an image's own user is known to the node alone. */
import type { Task } from './task.ts';

/** A line that the task itself gives up, and what in its job does it. */
export interface GivenUp {
  readonly line: string;
  readonly because: string;
  readonly remedy: string;
}

/** Of `security_opt`: the filter that tasks of `exec` have, in place of the engine's own. */
export const ownFilter = 'seccomp=drover';

export function asksForOwnFilter({ Config }: Partial<Pick<Task, 'Config'>>): boolean {
  return textsOf(Config?.['security_opt']).includes(ownFilter);
}

const byPrivilege =
  'no_new_privs empty_capabilities seccomp read_only_system devices masked_proc cgroup_namespace'.split(' ');

/** Option → the value that keeps the line; every other gives it up. */
const modes: readonly (readonly [option: string, line: string, kept: readonly string[]])[] = [
  ['pid_mode', 'pid_namespace', ['', 'private']],
  ['ipc_mode', 'ipc_namespace', ['', 'private', 'shareable', 'none']],
  ['uts_mode', 'uts_namespace', ['', 'private']],
  ['cgroupns', 'cgroup_namespace', ['', 'private']],
  ['userns_mode', 'user_namespace', ['']],
  ['userns', 'user_namespace', ['']],
];

export function givenUpByContainer({ User, Config }: Partial<Pick<Task, 'User' | 'Config'>>): readonly GivenUp[] {
  const config = Config ?? {};
  const found: GivenUp[] = [];
  const lose = (lines: readonly string[], because: string, remedy: string): void => {
    for (const line of lines) found.push({ line, because, remedy });
  };
  const user = User ?? '';
  if (/^(root|0)?(:|$)/.test(user))
    lose(
      ['not_root', 'own_uid', 'unique_uid'],
      user === '' ? "no user is named: it is the image's own, which may be root" : `user = ${JSON.stringify(user)}`,
      'user = "nobody" in the task',
    );
  if (config['privileged'] === true) lose(byPrivilege, 'privileged', 'leave privileged out');
  if (!textsOf(config['cap_drop']).some((each) => each.toLowerCase() === 'all'))
    lose(['empty_capabilities'], 'a container has some capabilities', 'cap_drop = ["all"]');
  if (textsOf(config['security_opt']).some((each) => each !== ownFilter))
    lose(['seccomp', 'no_new_privs'], 'security_opt', 'leave security_opt out');
  for (const [option, line, kept] of modes) {
    const value = config[option] ?? '';
    if (!kept.includes(String(value))) lose([line], `${option} = ${JSON.stringify(value)}`, `leave ${option} out`);
  }
  if (config['network_mode'] === 'host')
    lose(['network_namespace', 'network_policy'], 'network_mode = "host"', 'leave network_mode out');
  return found;
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value)
    ? value.filter((each) => typeof each === 'string')
    : typeof value === 'string'
      ? [value]
      : [];
}
