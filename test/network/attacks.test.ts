/** The attacks of `test/security` from tasks on a network of their own, as root and without. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attackFromMachine, machinesAreHere } from '../security/attack-machine.ts';
import { type Attacks, buildAttacks } from '../security/attack-program.ts';
import { attackFrom, judge, type Place, record } from '../security/attack-task.ts';
import { subordinates } from '../subordinate-ids.ts';
import { ownHost, setUpHost } from './own-host.ts';

const places: readonly Place[] = [
  { who: 'root', driver: 'exec', rung: 'container', network: 'bridge' },
  { who: 'an ordinary user', driver: 'exec', rung: 'container', network: 'bridge' },
  {
    who: 'an ordinary user',
    driver: 'exec',
    rung: 'container',
    network: 'bridge',
    subordinates: true,
  },
];

describe.skipIf(!ownHost)('a task on a network of its own', () => {
  let attacks: Attacks;
  beforeAll(() => {
    setUpHost();
    attacks = buildAttacks();
  });
  afterAll(() => attacks?.remove());

  const cases = places.map(
    (place) => [`${place.who}${place.subordinates === true ? ' with ids for tasks' : ''}`, place] as const,
  );
  it.each(cases)('under an agent of %s gets nothing that rung container does not allow', async (_, place) => {
    const { attempts: tried, rung, uid } = await attackFrom(attacks, place);
    record(attacks, place, rung, tried);
    if (place.who !== 'root')
      expect(uid).toContain(place.subordinates === true ? `uid ${subordinates.first}`.slice(0, -6) : 'shared uid');
    expect(rung).toBe(place.who === 'root' ? 'container' : 'sandbox');
    // of its own network the ports below 1024 are the task's
    const low = 'CAP_NET_BIND_SERVICE: listen on a low port';
    expect(tried.find(({ name }) => name === low)?.outcome).toBe('through');
    judge(
      place,
      tried.filter(({ name }) => name !== low),
    );
  });

  it.skipIf(!machinesAreHere)(
    'that is root of a machine gets nothing of the host',
    () => attackFromMachine(attacks, { network: 'bridge' }),
    180_000,
  );
});
