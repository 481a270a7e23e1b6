/**
 * What the doctor prints where a program is missing is carried out as it is printed, by each distribution's own package manager, and the rung
 * that it named is reached. Alpine's is not here: Debian has no apk. Control: what was reached before.
 */
import { describe, expect, it } from 'vitest';
import { rankOf } from '../../src/model/isolation-ladder.ts';
import { complete, look } from './crippled-look.ts';
import { foreignHosts } from './distributions.ts';

describe.skipIf(!complete)('what is missing is installed as the doctor says', () => {
  it.for(foreignHosts)('$name', { timeout: 250_000 }, async ({ cripple, user, lacking, ...wanted }, { skip }) => {
    if (lacking.length > 0) skip(`not in build/packages, where npm test brings it: ${lacking.join(', ')}`);
    const as = user === undefined ? {} : { user };
    const { doctor, after } = await look({ cripple, ...as, remedy: wanted.remedy }, { DOCTOR_ONLY: '1' }, 240_000);
    const [climb] = doctor.Climbs;
    expect(climb?.Rung).toBe(wanted.rung);
    expect(climb?.Remedies.map(({ Kind, Command }) => [Kind, Command])).toEqual([
      [wanted.remedy.kind, expect.stringMatching(wanted.remedy.command)],
    ]);
    const rankNow = ({ OwnNetwork, HostNetwork }: typeof doctor) =>
      Math.max(rankOf(OwnNetwork.Rung), rankOf(HostNetwork.Rung));
    expect(rankNow(doctor)).toBeLessThan(rankOf(climb!.Rung));
    expect(rankNow(after!), JSON.stringify(after)).toBeGreaterThanOrEqual(rankOf(climb!.Rung));
  });
});
