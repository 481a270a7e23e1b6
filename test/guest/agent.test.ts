/**
 * A whole agent under another kernel, where control groups are of version 2 alone, on a disk that keeps to quotas: what `explain` foretells of
 * a job with every limit, what its tasks get, and what is done when somebody else changes a limit of them.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { drover } from '../agent-process.ts';
import type { AgentSight, GroupSight } from './agent.ts';
import { bundle, repository } from './bundle.ts';
import { lackingForGuest, reported, runInGuest } from './machine.ts';

const minutes = 12;
const disk = join(tmpdir(), `drover-guest-agent-${process.pid}`);
const lacking = await lackingForGuest();
const mib = 1 << 20;

describe.skipIf(lacking.length > 0)(
  'an agent on a host with control groups of version 2 and quotas of projects',
  () => {
    let seen: AgentSight;

    beforeAll(
      async () => {
        const program = await bundle('agent');
        try {
          execFileSync('truncate', ['-s', '256M', disk]);
          execFileSync('mke2fs', ['-q', '-t', 'ext4', '-O', 'project,quota', '-E', 'quotatype=prjquota', disk]);
          const run = await runInGuest(
            `modprobe -a virtio_blk quota_v2 bfq; echo bfq >/sys/block/vda/queue/scheduler; mkdir /run/disk; mount -o prjquota /dev/vda /run/disk; chmod 711 /run/disk; cd '${repository}'
          mkdir -p /run/disk/agent/data; '${process.execPath}' '${program}' '${drover}' /run/disk/agent /dev/ttyS1 2>&1`,
            minutes,
            { disk },
          );
          console.info(run.console);
          seen = reported(run);
        } finally {
          rmSync(disk, { force: true });
        }
      },
      minutes * 60_000 + 60_000,
    );

    const linesOf = ({ report }: GroupSight, state: string): readonly string[] =>
      report.mechanisms.filter((each) => each.state === state).map(({ name }) => name);

    it.each(['bridged', 'alone'] as const)('foretells the rung that a task of "%s" gets, and can place it', (name) => {
      const { foretold, report } = seen.groups[name];
      expect(foretold.Reasons).toEqual([]);
      expect(foretold.Tasks).toEqual([expect.objectContaining({ Rung: report.rung, Missing: [] })]);
      expect(report).toMatchObject({ rung: 'container', wanted: 'container' });
      expect(linesOf(seen.groups[name], 'unavailable')).toEqual([]);
      expect(linesOf(seen.groups[name], 'verified')).toEqual(expect.arrayContaining(['cgroup_limits', 'disk_quota']));
    });

    it('holds tasks to memory, processes, part of a core and cores of their own', () => {
      const { bridged, alone } = seen.groups;
      expect(bridged.limits).toMatchObject({ 'memory.max': String(48 * mib), 'memory.swap.max': '0' });
      expect(bridged.limits['cpu.max']).toMatch(/^\d+ 100000$/);
      expect(bridged.limits['pids.max']).toMatch(/^\d+$/);
      expect(Number(bridged.limits['cpu.weight'])).toBeGreaterThan(1);
      expect(alone.limits).toMatchObject({ 'memory.max': String(64 * mib), 'cpu.max': 'max 100000' });
      expect(alone.limits['cpuset.cpus.effective']).toMatch(/^\d$/);
      expect([bridged, alone].map(({ output }) => /processors (\d)/.exec(output)?.[1])).toEqual(['2', '1']);
    });

    it('gives a task its weight on a disk that heeds one, and foretells that it is refused where none does', () => {
      const { bridged, alone } = seen.groups;
      expect([bridged.limits['io.bfq.weight'], alone.limits['io.bfq.weight']]).toEqual(['default 200', 'default 100']);
      expect(seen.unweighed.join('\n')).toMatch(/io_weight: no disk of this host is shared by weight/);
    });

    it('gives each a disk and a network of its own, and publishes a port', () => {
      for (const { output } of [seen.groups.bridged, seen.groups.alone]) {
        const written = Number(/written (\d+)/.exec(output)?.[1]);
        expect(written).toBeGreaterThan(9 * mib);
        expect(written).toBeLessThanOrEqual(10 * mib);
      }
      const devices = [seen.groups.bridged, seen.groups.alone].map(({ output }) => /devices (.*)/.exec(output)?.[1]);
      expect(devices).toEqual(['lo eth0', 'lo']);
      expect(seen.answer).toBe('served\n');
    });

    it('says so when somebody else changes a limit, and does what the task asked for', () => {
      const { warned, stopped } = seen;
      expect(warned.events.join('\n')).toMatch(
        /Isolation Degraded: cgroup_limits no longer holds — .*cpu\.max max 100000/,
      );
      expect(warned.state).toBe('running');
      expect(warned.report.rung).toBe('sandbox');
      expect(stopped.events.join('\n')).toMatch(/Isolation Degraded: memory_limit no longer holds — max bytes/);
      expect(stopped).toMatchObject({ state: 'dead', failed: true });
    });
  },
);
