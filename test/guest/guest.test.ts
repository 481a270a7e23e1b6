/**
 * Tasks of exec under another kernel, where control groups are of version 2 alone: limits, the rungs, and every attack on them. Control: the
 * same attacks in the same guest where nothing protects.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileAttacks } from '../security/attack-program.ts';
import { allowed, judge } from '../security/attack-task.ts';
import { bundle, guestHome, repository } from './bundle.ts';
import { lackingForGuest, runInGuest } from './machine.ts';
import { type Found, triedRungs } from './results.ts';

const which = process.env['DROVER_LONG'] === '1' ? 'all' : 'some';
const minutes = which === 'all' ? 60 : 14;
const lacking = await lackingForGuest();
if (lacking.length > 0) console.info(`no guest here: it needs ${lacking.join(', ')}`);

describe.skipIf(lacking.length > 0)('in a guest with control groups of version 2', () => {
  let found: readonly Found[] = [];
  let text = '';
  const of = <K extends Found['kind']>(kind: K): readonly Extract<Found, { kind: K }>[] =>
    found.filter((each): each is Extract<Found, { kind: K }> => each.kind === kind);

  beforeAll(
    async () => {
      const inside = await bundle('inside');
      const program = join(guestHome, 'attack');
      compileAttacks(program);
      // images of memory go to a program of the guest's, run as root outside of every sandbox
      const handler = `printf '#!/bin/sh\\nexec cat >/dev/null\\n' >/run/keep; chmod 755 /run/keep; echo '|/run/keep %P' >/proc/sys/kernel/core_pattern`;
      const run = await runInGuest(
        `${handler}; cd '${repository}'; '${process.execPath}' '${inside}' root /dev/ttyS1 ${which} '${program}' && echo guest: it ended`,
        minutes,
      );
      text = run.console;
      found = run.report
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Found);
      for (const each of found)
        if ('ms' in each)
          console.info(`${each.ms} ms: ${each.kind === 'check' ? each.name : `attacks ${JSON.stringify(each.place)}`}`);
    },
    minutes * 60_000 + 60_000,
  );

  it('everything is looked at', () => {
    expect(text).toContain('guest: it ended');
  });

  it('limits hold, and nothing is left', () => {
    expect(of('check').filter(({ why }) => why !== '')).toEqual([]);
    expect(of('check').length).toBeGreaterThanOrEqual(12);
  });

  it('at least 120 attacks take effect where nothing protects', () => {
    expect(of('control')[0]?.proven.length).toBeGreaterThanOrEqual(120);
    expect(of('control')[0]?.proven).toContain("give images of its memory to a program of the host's");
  });

  const places = (['root', 'user'] as const).flatMap((who) => triedRungs(who, which).map((rung) => ({ who, rung })));

  it.each(places)('a task at rung $rung, under an agent of $who, gets nothing beyond it', (place) => {
    // without root there is nothing yet that makes a container
    const reached = place.who === 'user' && place.rung === 'container' ? 'sandbox' : place.rung;
    const seen = of('attacks').find((each) => each.place.who === place.who && each.place.rung === place.rung);
    const lost = seen?.report.mechanisms.filter(({ state }) => state === 'unavailable');
    expect({ rung: seen?.report.rung, lost: seen?.report.rung === reached ? [] : lost }).toEqual({
      rung: reached,
      lost: [],
    });
    if (place.rung in allowed) judge({ who: 'root', driver: 'exec', rung: place.rung }, seen!.attempts);
  });
});
