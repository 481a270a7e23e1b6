/**
 * Quotas of projects under a kernel that has them: what binds an allocation's disk, who could get out of it, and what the doctor advises for a
 * disk that keeps to none. Control: the same escape where nothing protects.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle, repository } from './bundle.ts';
import type { DiskSight } from './disk.ts';
import { lackingForGuest, reported, runInGuest } from './machine.ts';

const minutes = 8;
const disk = join(tmpdir(), `drover-guest-quota-${process.pid}`);
const lacking = await lackingForGuest();
const mib = 1 << 20;

describe.skipIf(lacking.length > 0)('a disk under a kernel with quotas of projects', () => {
  let seen: DiskSight;

  beforeAll(
    async () => {
      const program = await bundle('disk');
      try {
        execFileSync('truncate', ['-s', '256M', disk]);
        // as any disk is made: nothing of quotas yet
        execFileSync('mke2fs', ['-q', '-t', 'ext4', disk]);
        const run = await runInGuest(
          `modprobe -a virtio_blk quota_v2; mkdir /run/disk; mount /dev/vda /run/disk; chmod 711 /run/disk; cd '${repository}'
          '${process.execPath}' '${program}' /run/disk /dev/ttyS1 2>&1`,
          minutes,
          { disk },
        );
        seen = reported(run);
      } finally {
        rmSync(disk, { force: true });
      }
    },
    minutes * 60_000 + 60_000,
  );

  it('that keeps to none says so, and does once the advice of the doctor is carried out', () => {
    expect(seen.remedy.evidence).toMatch(/not switched on|knows no quotas/);
    expect(seen.remedy.command).toMatch(/^umount \/run\/disk && tune2fs /);
    expect(seen.remedy.after).toMatch(
      /^true of 2 MiB \d+ KiB fit into a bound of 1024, of 32 files \d+ into one of 16, then EDQUOT$/,
    );
  });

  it('refuses more than an allocation may hold, also when another life of the agent found it, while others write on', () => {
    for (const bytes of [seen.written.bound, seen.written.restarted].map(Number)) {
      expect(bytes).toBeGreaterThan(0.8 * mib);
      expect(bytes).toBeLessThanOrEqual(mib);
    }
    expect(seen.written.neighbour).toBe('900000');
  });

  it('lets who is in a user namespace not out of it, as it does who is not (control)', () => {
    expect(Number(seen.written.sandboxed)).toBeLessThanOrEqual(mib);
    expect(seen.written.escaped).toBe(String(2 * mib));
  });

  it('counts what a replaced allocation left for the one that takes it over', () => {
    expect(seen.takenOver).toEqual({ text: 'kept', counted: true });
  });

  it('gives no project to two, though three agents know nothing of each other, and again when its files are gone', () => {
    expect(new Set(seen.projects).size).toBe(3);
    expect(seen.afterwards).toBe(seen.projects[0]);
  });
});
