/** What is concluded from what was tried inside. */
import { describe, expect, it } from 'vitest';
import { judgeTries, mergeTries, readTries, type Try, withTries } from './tries.ts';

const line = (name: string, state: 'verified' | 'not_asked' = 'verified') =>
  ({ name, state, evidence: 'seen', checkedAt: '' }) as const;

describe('tries from inside', () => {
  it('count only with their nonce, and only all of them', () => {
    const said = 'n seccomp stopped EPERM mount\nother seccomp through - mount\n';
    expect(readTries(`${said}n end - - -\n`, 'n', false)).toEqual([
      { line: 'seccomp', name: 'mount', outcome: 'stopped' },
    ]);
    expect(readTries(said, 'n', true)).toBeNull();
    expect(readTries('', 'n', true)).toBeNull();
  });

  it('of which the last ended all of its group were stopped only where the group had no more memory', () => {
    const pids = 'n pids_limit stopped EAGAIN more processes than allowed\n';
    const row = (line: string, name: string) => ({ line, outcome: 'stopped', name });
    expect(readTries(pids, 'n', true)).toEqual([
      row('pids_limit', 'more processes than allowed'),
      row('memory_limit', 'more memory than allowed'),
    ]);
    expect(readTries(pids, 'n', false)).toBeNull();
  });

  it('that were cut off take their line away, unless they came to their end another time', () => {
    const row = (outcome: Try['outcome'], name = 'mount') => ({ line: 'seccomp', name, outcome });
    const proven = new Set(['seccomp mount', 'seccomp keyctl']);
    const evidence = (...rounds: readonly (readonly Try[])[]) => {
      const [found] = withTries([line('seccomp')], judgeTries(mergeTries(rounds), proven));
      return `${found?.state}: ${found?.evidence}`;
    };
    const both = [row('stopped'), row('stopped', 'keyctl')];
    expect(evidence(both)).toBe('verified: seen; 2 tries from inside stopped');
    const cut = [row('cut_off'), row('stopped', 'keyctl')];
    expect(evidence(cut)).toBe('unavailable: tried from inside: mount was cut off');
    expect(evidence(cut, cut)).toBe('unavailable: tried from inside: mount was cut off');
    expect(evidence(cut, both)).toBe('verified: seen; 2 tries from inside stopped');
    expect(evidence(both, cut)).toBe('verified: seen; 2 tries from inside stopped');
    const through = [row('through'), row('cut_off', 'keyctl')];
    expect(evidence(cut, through)).toBe('unavailable: tried from inside: mount took effect');
    expect(evidence(through, both)).toBe('unavailable: tried from inside: mount took effect');
  });

  it('prove nothing by being stopped where nothing protects either', () => {
    const tries = [
      { line: 'seccomp', name: 'mount', outcome: 'stopped' },
      { line: 'seccomp', name: 'kexec_load', outcome: 'stopped' },
      { line: 'devices', name: 'a disk', outcome: 'absent' },
    ] as const;
    expect(judgeTries(tries, new Set(['seccomp mount']))).toEqual({
      seccomp: { stopped: 1, through: [], cutOff: [] },
    });
  });

  it('take a line away that they got past, whatever the host sees', () => {
    const tried = {
      seccomp: { stopped: 30, through: ['keyctl'], cutOff: [] },
      devices: { stopped: 2, through: [], cutOff: [] },
    };
    const [seccomp, devices, other, network] = withTries(
      [line('seccomp'), line('devices'), line('session'), line('network_policy', 'not_asked')],
      { ...tried, network_policy: { stopped: 0, through: ['the metadata address'], cutOff: [] } },
    );
    expect(seccomp).toMatchObject({ state: 'unavailable', evidence: 'tried from inside: keyctl took effect' });
    expect(devices).toMatchObject({ state: 'verified', evidence: 'seen; 2 tries from inside stopped' });
    expect(other).toEqual(line('session'));
    // what the job itself gave up is no loss
    expect(network).toMatchObject({ state: 'not_asked' });
  });
});
