/**
 * What is left of the ladder on hosts with control groups of version 2 that lack something, on one whose controllers are divided among both
 * versions, and on one that was booted without a controller; what the doctor advises is carried out. Control: the guest as it is.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { rankOf } from '../../src/model/isolation-ladder.ts';
import { bundle, repository } from './bundle.ts';
import type { Look } from './look.ts';
import { lackingForGuest, runInGuest } from './machine.ts';
import { lookAt, poorHosts } from './poor-hosts.ts';

const minutes = 60;
const lacking = await lackingForGuest();
// each host is looked at by a hundred programs, and each of them is emulated
const isLong = process.env['DROVER_LONG'] === '1';

/** As systemd lays it out: some controllers in hierarchies of version 1, the rest in that of version 2. */
const divide = `
for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo -$c >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; done
umount /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup
for c in cpu,cpuacct pids devices freezer; do
  mkdir /sys/fs/cgroup/$c
  for i in $(seq 100); do mount -t cgroup -o $c none /sys/fs/cgroup/$c 2>/dev/null && break; sleep 0.1; done
done
mkdir /sys/fs/cgroup/unified; mount -t cgroup2 none /sys/fs/cgroup/unified`;

describe.skipIf(lacking.length > 0 || !isLong)('on a host with control groups of version 2', () => {
  let looks: ReadonlyMap<string, Look> = new Map();
  let console = '';

  beforeAll(
    async () => {
      const look = [process.execPath, await bundle('look')];
      const report = '/dev/ttyS1';
      const program = `'${look.join("' '")}'`;
      const prelude = `cd '${repository}'; chmod 666 ${report}`;
      const hosts = poorHosts.map((host, index) => lookAt(host, index, look, report));
      const half = hosts.length >> 1;
      const runs = await Promise.all([
        runInGuest([prelude, ...hosts.slice(0, half)].join('\n'), minutes),
        runInGuest([prelude, ...hosts.slice(half), divide, `${program} divided ${report}`].join('\n'), minutes),
        runInGuest(`${prelude}; ${program} disabled ${report}`, minutes, { kernelOptions: 'cgroup_disable=memory' }),
      ]);
      console = runs.map((run) => run.console).join('\n');
      const lines = runs.flatMap((run) => run.report.split('\n')).filter((line) => line !== '');
      looks = new Map(lines.map((line) => JSON.parse(line) as Look).map((each) => [each.name, each]));
      for (const { name, seconds } of looks.values()) globalThis.console.info(`${seconds} s: ${name}`);
    },
    minutes * 60_000 + 60_000,
  );

  function lookOf(name: string): Look {
    const found = looks.get(name);
    if (found === undefined) throw new Error(`nothing was found out of "${name}":\n${console}`);
    return found;
  }
  const missing = ({ found }: Look): readonly string[] =>
    found.Mechanisms.filter(({ Ok }) => !Ok).map(({ Name }) => Name);
  const rungsOf = ({ OwnNetwork, HostNetwork }: Look['found']) => ({ own: OwnNetwork.Rung, keeping: HostNetwork.Rung });

  it.each(poorHosts.map((host) => [host.name, host] as const))(
    '%s',
    (_, { name, own, keeping, lost, remedy, carriedOut }) => {
      const look = lookOf(name);
      expect({ ...rungsOf(look.found), why: look.why }).toEqual({ own, keeping, why: '' });
      expect(missing(look)).toEqual(expect.arrayContaining([...lost]));
      if (remedy === undefined) return;
      const [climb] = look.found.Climbs;
      expect(climb?.Remedies[0]).toMatchObject({ Kind: remedy.kind, Command: expect.stringMatching(remedy.command) });
      const after = rungsOf(carriedOut === true ? look.after! : lookOf(poorHosts[0]!.name).found);
      expect(rankOf(after.own)).toBeGreaterThanOrEqual(rankOf(climb!.Rung));
    },
  );

  it('whose controllers are divided among both versions, each is used where it lives', () => {
    const look = lookOf('divided');
    expect(look.found.Cgroups).toMatch(/^hybrid/);
    // the guest's files are on no disk that io could be limited of
    expect(missing(look).filter((name) => /^cgroup\.(?!io)/.test(name))).toEqual([]);
    expect(rungsOf(look.found)).toEqual({ own: 'container', keeping: 'sandbox' });
  });

  it('that was booted without a controller says so, and booting with it is the way up', () => {
    const look = lookOf('disabled');
    expect(missing(look)).toContain('cgroup.memory');
    expect(rungsOf(look.found)).toEqual({ own: 'sandbox', keeping: 'sandbox' });
    const [climb] = look.found.Climbs;
    expect(climb?.Remedies.map(({ Command }) => Command)).toEqual([
      expect.stringMatching(/^take cgroup_disable=memory off the kernel's command line and boot/),
    ]);
    expect(rungsOf(lookOf(poorHosts[0]!.name).found).own).toBe(climb!.Rung);
  });
});
