/**
 * The power of a machine is cut while an agent runs jobs, and the machine started again: on a disk of its own, under a real kernel with control
 * groups of version 2.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { drover } from '../agent-process.ts';
import { bundle, repository } from './bundle.ts';
import { type GuestRun, lackingForGuest, reported, runInGuest } from './machine.ts';
import type { Sight } from './reboot.ts';

const minutes = 12;
const disk = join(tmpdir(), `drover-guest-disk-${process.pid}`);
const lacking = await lackingForGuest();

describe.skipIf(lacking.length > 0)('after the power was cut and the machine started again', () => {
  let seen: { readonly before: Sight; readonly after: Sight };

  beforeAll(
    async () => {
      const program = await bundle('reboot');
      const boot = (phase: 'before' | 'after'): Promise<GuestRun> =>
        runInGuest(
          `modprobe virtio_blk; mkdir /run/disk; mount /dev/vda /run/disk; cd '${repository}'; '${process.execPath}' '${program}' ${phase} '${drover}' /run/disk/agent /dev/ttyS1`,
          minutes,
          { disk, ...(phase === 'before' ? { cutAt: 'cut' } : {}) },
        );
      const sight = (run: GuestRun): Sight => {
        console.info(run.console);
        return reported(run);
      };
      try {
        execFileSync('truncate', ['-s', '512M', disk]);
        execFileSync('mke2fs', ['-q', '-t', 'ext4', disk]);
        const before = sight(await boot('before'));
        seen = { before, after: sight(await boot('after')) };
      } finally {
        rmSync(disk, { force: true });
      }
    },
    2 * minutes * 60_000 + 60_000,
  );

  it('it is another boot, and what ran was cut off', () => {
    expect(seen.after.bootId).not.toBe(seen.before.bootId);
    expect(seen.before.running).toEqual({ steady: 1, once: 0, unfinished: 1 });
  });

  it('jobs, allocations, evaluations and indexes are there, to the last acknowledged write', () => {
    const { before, after } = seen;
    expect(after.jobs).toEqual([...before.jobs, 'acknowledged'].sort());
    expect(after.index).toBeGreaterThan(before.index);
    expect(after.evaluations).toBeGreaterThan(before.evaluations);
    for (const [job, { id }] of Object.entries(before.allocations)) expect(after.allocations[job]?.id).toBe(id);
  });

  it('events of before are there, and the end that nobody saw is told as what it is', () => {
    const { before, after } = seen;
    for (const [job, { events }] of Object.entries(before.allocations))
      expect(after.allocations[job]?.events.slice(0, events.length)).toEqual(events);
    expect(after.allocations['unfinished']?.events.join('\n')).toMatch(/reboot/);
  });

  it('what was to go on is started once again, what had ended is not, and what may not is failed', () => {
    const { after } = seen;
    expect(after.running).toEqual({ steady: 1, once: 0, unfinished: 0 });
    expect(after.starts).toMatchObject({ steady: 2, once: 1, unfinished: 1 });
    const status = Object.entries(after.allocations).map(([job, { status }]) => [job, status]);
    expect(Object.fromEntries(status)).toEqual({
      steady: 'running',
      once: 'complete',
      unfinished: 'failed',
    });
  });

  it('logs of before can still be read, in order', () => {
    const { before, after } = seen;
    expect(after.logs['once']).toBe('all of it\n');
    expect(after.logs['unfinished']).toMatch(/^line 1\nline 2\nline 3\n/);
    expect(after.logs['steady']?.startsWith(before.logs['steady']!.slice(0, 21))).toBe(true);
  });
});
