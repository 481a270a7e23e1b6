/** What is concluded from what was tried inside. */
import { describe, expect, it } from 'vitest';
import { judgeTries, readTries, withTries } from './tries.ts';

const line = (name: string, state: 'verified' | 'not_asked' = 'verified') =>
  ({ name, state, evidence: 'seen', checkedAt: '' }) as const;

describe('tries from inside', () => {
  it('count only with their nonce, and only all of them', () => {
    const said = 'n seccomp stopped EPERM mount\nother seccomp through - mount\n';
    expect(readTries(`${said}n end - - -\n`, 'n')).toEqual([{ line: 'seccomp', name: 'mount', outcome: 'stopped' }]);
    expect(readTries(said, 'n')).toBeNull();
    expect(readTries('', 'n')).toBeNull();
  });

  it('prove nothing by being stopped where nothing protects either', () => {
    const tries = [
      { line: 'seccomp', name: 'mount', outcome: 'stopped' },
      { line: 'seccomp', name: 'kexec_load', outcome: 'stopped' },
      { line: 'devices', name: 'a disk', outcome: 'absent' },
    ] as const;
    expect(judgeTries(tries, new Set(['seccomp mount']))).toEqual({ seccomp: { stopped: 1, through: [] } });
  });

  it('take a line away that they got past, whatever the host sees', () => {
    const tried = { seccomp: { stopped: 30, through: ['keyctl'] }, devices: { stopped: 2, through: [] } };
    const [seccomp, devices, other, network] = withTries(
      [line('seccomp'), line('devices'), line('session'), line('network_policy', 'not_asked')],
      { ...tried, network_policy: { stopped: 0, through: ['the metadata address'] } },
    );
    expect(seccomp).toMatchObject({ state: 'unavailable', evidence: 'tried from inside: keyctl took effect' });
    expect(devices).toMatchObject({ state: 'verified', evidence: 'seen; 2 tries from inside stopped' });
    expect(other).toEqual(line('session'));
    // what the job itself gave up is no loss
    expect(network).toMatchObject({ state: 'not_asked' });
  });
});
