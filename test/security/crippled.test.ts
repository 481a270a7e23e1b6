/**
 * What is left of the ladder where something is missing: each host is this one, crippled in namespaces of its own. On each a task runs at
 * exactly the rung that is left and that was foretold, its floor refuses it above, and the doctor names what was lost. Control: the host
 * as it is gives more.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rungs } from '../../src/model/isolation-ladder.ts';
import { crippledHosts } from './crippled-hosts.ts';
import { complete, type Found, look, withoutSeccomp } from './crippled-look.ts';

const rank = (rung: string): number => (rungs as readonly string[]).indexOf(rung);

// the table tells of a host that has everything: root, bubblewrap, runc and cgroups of version 1
describe.skipIf(!complete)('on a crippled host', () => {
  let whole: Found;

  beforeAll(async () => {
    execFileSync('cc', ['-static', '-o', withoutSeccomp, join(import.meta.dirname, 'without-seccomp.c')]);
    whole = await look({ cripple: ':' });
  }, 120_000);
  afterAll(() => rmSync(withoutSeccomp, { force: true }));

  it('(control) nothing is lost where nothing is taken away', ({ skip }) => {
    if (!whole.doctor.Cgroups.startsWith('hybrid') && !whole.doctor.Cgroups.startsWith('v1')) skip('not a v1 host');
    expect([whole.modes!.none.rung, whole.modes!.host.rung]).toEqual(['container', 'sandbox']);
  });

  it.each(crippledHosts.map((host) => [host.name, host] as const))('%s', { timeout: 120_000 }, async (_, host) => {
    const { modes: seen, doctor, after, keptOwner } = await look(host);
    const modes = seen!;
    expect(keptOwner).toBe(true);
    expect({ own: modes.none.rung, host: modes.host.rung }).toEqual(host.rungs);
    // trial tasks of the doctor's are tasks like any other
    const told = (rung: string): string => (rung === 'refused' ? 'none' : rung);
    expect([doctor.OwnNetwork.Rung, doctor.HostNetwork.Rung]).toEqual([told(host.rungs.own), told(host.rungs.host)]);
    if (host.rungs.host !== 'refused') expect(modes.host.why).toBe('');
    for (const mode of [modes.none, modes.host]) {
      if (host.why !== undefined) expect(mode.why).toMatch(host.why);
      expect(mode.predicted).toBe(mode.rung === 'refused' ? 'none' : mode.rung);
      if (mode.rung === 'refused') continue;
      expect(mode.exitCode).toBe(0);
      expect(mode.refused).toMatch(/isolation floor ".*" is not reached.*missing: \w/);
    }
    if (host.lost !== undefined)
      expect(doctor.Mechanisms.filter(({ Ok }) => !Ok).map(({ Name }) => Name)).toContain(host.lost);
    if (host.remedy === undefined) return;
    const [climb] = doctor.Climbs;
    expect(climb?.Remedies.map(({ Kind, Command }) => [Kind, Command])).toEqual([
      [host.remedy.kind, expect.stringMatching(host.remedy.command)],
    ]);
    const { OwnNetwork, HostNetwork } = host.remedied === undefined ? after! : (await look(host.remedied)).doctor;
    const reached = Math.max(rank(OwnNetwork.Rung), rank(HostNetwork.Rung));
    expect(reached, JSON.stringify({ OwnNetwork, HostNetwork })).toBeGreaterThanOrEqual(rank(climb!.Rung));
  });
});
