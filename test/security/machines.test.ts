/**
 * Machines, from both sides: what a guest reaches of the host, and what an emulator reaches that its guest has taken over. Control: the same
 * attacks where nothing protects.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attackFromMachine, machinesAreHere } from './attack-machine.ts';
import { type Attacks, buildAttacks } from './attack-program.ts';
import { attackFrom, judge, record } from './attack-task.ts';

const root = process.getuid?.() === 0;

let attacks: Attacks;
beforeAll(() => {
  if (root) attacks = buildAttacks();
});
afterAll(() => attacks?.remove());

describe.skipIf(!root)('an emulator that its guest has taken over', () => {
  it.each([
    { who: 'root', rung: 'container' },
    { who: 'root', rung: 'sandbox' },
    { who: 'an ordinary user', rung: 'sandbox' },
  ] as const)('gets no more than a task of rung $rung under an agent of $who', async ({ who, rung: wanted }) => {
    const place = {
      who,
      driver: 'qemu',
      rung: wanted,
      // what rlimits bound is four times what a task may have, the emulator's own share included
      plugin: { image_paths: [attacks.plant], pids_limit: 256, memory_headroom: 0 },
      config: { image_path: join(attacks.plant, 'foreign') },
    } as const;
    const { attempts, rung } = await attackFrom(attacks, place);
    record(attacks, place, rung, attempts);
    expect(rung).toBe(wanted);
    judge(place, attempts);
  });
});

describe.skipIf(!root || !machinesAreHere)('a guest of microvm that is root of its machine', () => {
  it(
    'gets nothing of the host, and its monitor is held at rung sandbox at least',
    () => attackFromMachine(attacks),
    180_000,
  );
});
