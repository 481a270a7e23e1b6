/** An agent of an ordinary user whom /etc/subuid and /etc/subgid give ids for its tasks: in mounts of its own, the host's files stay. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const subordinates = { first: 1_700_000_000, count: 65_536 };
export const canMapIds = existsSync('/usr/bin/newuidmap');

/** For `wrap` of an agent of `user`; `before`: what the shell does in those mounts besides. */
export function withSubordinateIds(user: number, before = ':') {
  return (command: readonly string[], directory: string): readonly string[] => {
    const { first, count } = subordinates;
    const passwd = join(directory, 'passwd');
    const ids = join(directory, 'subids');
    writeFileSync(passwd, `${readFileSync('/etc/passwd', 'utf8')}drover-test:x:${user}:${user}::/:/bin/sh\n`);
    writeFileSync(ids, `drover-test:${first}:${count}\n`);
    const script = `mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/subuid && mount --bind "$2" /etc/subgid && shift 2 && ${before} && exec "$@"`;
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', passwd, ids, ...command];
  };
}
