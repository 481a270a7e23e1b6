import { describe, expect, it } from 'vitest';
import { notOnThisSystem } from '../model/isolation-losses.ts';
import { probesElsewhere } from './elsewhere.ts';
import { installerOf } from './installers.ts';
import { climbsFrom } from './remedies.ts';
import { bestRung, isolationAttributes, mechanismNames } from './rungs.ts';

const windows = { uid: -1, closed: null };
const mac = { uid: 501, closed: null };
const macAsRoot = { uid: 0, closed: null };

describe('on a system that is not Linux', () => {
  it.each([
    ['Windows', windows],
    ['macOS', mac],
    ['macOS, as root', macAsRoot],
  ])('every mechanism of Linux says that it is not there: %s', (_, system) => {
    const { 'isolation.reachable': reachable, ...others } = isolationAttributes(probesElsewhere(system));
    expect(reachable).toBe('verified');
    expect(Object.keys(others)).toHaveLength(mechanismNames.length - 1);
    expect(new Set(Object.values(others))).toEqual(new Set(['not on this system']));
  });

  it('nothing is promised', () => {
    for (const system of [windows, mac, macAsRoot]) expect(bestRung(probesElsewhere(system))).toBe('none');
  });

  it('whose tasks can have other users, a directory that is closed to them is named, and what opens it', () => {
    const { ok, evidence } = probesElsewhere({ uid: 0, closed: '/private/var/root' }).get('reachable')!;
    expect({ ok, evidence }).toEqual({
      ok: false,
      evidence: expect.stringMatching(
        /^\/private\/var\/root lets other users not pass: chmod o\+x \/private\/var\/root,/,
      ),
    });
    expect(probesElsewhere({ uid: 501, closed: '/private/var/root' }).get('reachable')?.ok).toBe(true);
  });

  it('the way up is Linux, and no command of it', () => {
    const facts = {
      uid: 501,
      installer: installerOf(''),
      sysctls: new Map(),
      hasCompiler: true,
      unmounted: [],
      cgroupPlace: false,
      cgroupRoot: false,
      disabled: [],
      innerRoot: true,
      subordinates: { user: 'ann', uid: 501, gid: 501, uids: '', gids: '', hasProgram: false },
      buildScript: null,
      moreProcesses: { kind: 'more_processes_of_user', command: '' },
      legacyGroups: [],
      readOnlyGroups: false,
      systemd: false,
      userManager: [],
      runtimeDirectory: false,
      restoreMapper: '',
      noNewPrivs: false,
      lacksCapabilities: [],
      openFiles: null,
      fileBytes: null,
      unfitDevices: [],
      makesDevices: true,
      proc: 'whole',
      mountsProc: true,
      room: { path: '/data', kib: 0, files: 0 },
    } as const;
    const supervisor = { ok: false, errno: '', evidence: notOnThisSystem };
    const climbs = climbsFrom('none', new Map([...probesElsewhere(mac), ['native_shim', supervisor]]), facts);
    expect(climbs.map(({ rung }) => rung)).toEqual(['process', 'sandbox', 'container']);
    for (const { remedies } of climbs)
      expect(remedies.map(({ command }) => command)).toEqual([
        'run the agent on Linux, or in a virtual machine with it',
      ]);
  });
});
