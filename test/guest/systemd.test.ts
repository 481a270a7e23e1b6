/**
 * An ordinary user on a host whose first process is systemd, with control groups of version 2: what the doctor advises is carried out as it is
 * printed, by a real systemd and a real sudo, and a real task is at the rung that was named. Control: what the doctor found before.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { downloaded, unpack } from '../downloads.ts';
import { bundle, repository } from './bundle.ts';
import { lackingForGuest, runInGuest } from './machine.ts';
import type { SystemdSight } from './systemd.ts';
import { systemdHosts, systemdUser } from './systemd-hosts.ts';

const minutes = 40;
const sudo = downloaded('sudo');
const programs = [
  ...['/lib/systemd/systemd', '/usr/bin/dbus-daemon', '/usr/bin/newuidmap'],
  '/usr/lib/x86_64-linux-gnu/security/pam_systemd.so',
];
const lacking = [
  ...(await lackingForGuest()),
  ...programs.filter((path) => !existsSync(path)),
  ...(sudo.length === 0 ? ['the Debian package sudo in build/packages (npm test brings it)'] : []),
];
if (lacking.length > 0) console.info(`no systemd in a guest here: it needs ${lacking.join(', ')}`);
const isLong = process.env['DROVER_LONG'] === '1';

/** Of systemd nothing is started but what logins need. */
const unit = (program: string): string => `[Unit]
DefaultDependencies=no
Wants=dbus.socket systemd-logind.service
After=dbus.socket systemd-logind.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
WorkingDirectory=${repository}
StandardOutput=file:/dev/ttyS0
StandardError=file:/dev/ttyS0
ExecStart=${program}
ExecStopPost=/bin/sh -c 'sync; echo o >/proc/sysrq-trigger'
`;

describe.skipIf(lacking.length > 0 || !isLong)('an ordinary user on a host of systemd', () => {
  let sights: ReadonlyMap<string, SystemdSight> = new Map();
  let text = '';

  beforeAll(
    async () => {
      const [program, look] = await Promise.all([bundle('systemd'), bundle('look')]);
      const { name, uid } = systemdUser;
      const script = `
${unpack(sudo)}
echo '${name} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/${name}; chmod 440 /etc/sudoers.d/${name}
echo '${name}:x:${uid}:${uid}::/home/${name}:/bin/sh' >>/etc/passwd
echo '${name}:x:${uid}:' >>/etc/group
echo '${name}:*:19000:0:99999:7:::' >>/etc/shadow
for f in /etc/subuid /etc/subgid; do echo '${name}:1700000000:65536' >>$f; done
mkdir -p /home/${name} /var/lib/systemd; chown ${uid}:${uid} /home/${name}
ln -sf '${join(repository, 'bin/drover.js')}' /usr/local/bin/drover
rm -rf /etc/systemd/system/*.wants
cd /lib/systemd/system/sysinit.target.wants; for each in *; do case $each in *journald*|*tmpfiles-setup.service) ;; *) rm $each ;; esac; done
cat >/etc/systemd/system/proof.service <<'UNIT'
${unit(`${process.execPath} ${program} /dev/ttyS1 ${look}`)}UNIT
mkdir -p /run/systemd/system
exec /lib/systemd/systemd --unit=proof.service --log-target=console --show-status=no`;
      const run = await runInGuest(script, minutes);
      text = run.console;
      console.info(text);
      const lines = run.report.split('\n').filter((line) => line.startsWith('{'));
      sights = new Map(lines.map((line) => JSON.parse(line) as SystemdSight).map((each) => [each.name, each]));
    },
    minutes * 60_000 + 60_000,
  );

  it.each(systemdHosts)('who has no control groups is given them: $name', ({ name, remedy }) => {
    const seen = sights.get(name);
    if (seen === undefined) throw new Error(`nothing was found out:\n${text}`);
    const { found, report } = seen;
    expect(found.OwnNetwork.Rung).toBe('sandbox');
    expect(found.Climbs.map(({ Rung }) => Rung)).toEqual(['container']);
    expect(found.Climbs[0]?.Remedies.map(({ Kind, Command }) => [Kind, Command])).toEqual([
      [remedy.kind, expect.stringMatching(remedy.command)],
    ]);
    expect(report?.rung).toBe('container');
  });
});
