/**
 * What the host mounts below a volume while a task runs: of none of the task's where the mount is private, seen where it follows the host.
 * Real mounts, in mount namespaces of the agents' own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { allocationsOf, nodeReady, shellJob } from './jobs.ts';

const root = process.getuid?.() === 0;
const programs = { bwrap: '/usr/bin/bwrap', unshare: '/usr/bin/unshare', runc: '/usr/sbin/runc' } as const;
const modes = ['private', 'host-to-task', 'bidirectional'] as const;

describe.skipIf(!root).each(Object.keys(programs) as (keyof typeof programs)[])(
  'a volume of a task by %s',
  (runtime) => {
    const place = mkdtempSync(join(tmpdir(), 'drover-propagation-'));
    let agent: AgentProcess | undefined;
    afterAll(async () => {
      await agent?.dispose();
      rmSync(place, { recursive: true });
    }, 60_000);

    it.skipIf(!existsSync(programs[runtime]))(
      'sees later mounts of the host only where it is to follow it',
      async () => {
        for (const mode of modes) mkdirSync(join(place, mode, 'later'), { recursive: true });
        // as systemd leaves it: what is mounted on the host comes to whoever follows
        const shared = `mount -t tmpfs none /opt; mount --make-rshared /; exec "$@"`;
        const volume = (mode: string) => ({ path: join(place, mode) });
        agent = await startAgent({
          config: {
            client: { host_volume: Object.fromEntries(modes.map((mode) => [mode, volume(mode)])) },
            plugin: { exec: { config: { isolation: [{ runtimes: [runtime] }] } } },
          },
          wrap: (command) => ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', shared, 'sh', ...command],
        });
        const { client, pid } = agent;
        await nodeReady(agent);
        const onHost = (...command: readonly string[]) =>
          execFileSync('nsenter', ['--target', String(pid), '--mount', ...command]);
        for (const mode of modes)
          await client.jobs.register(
            shellJob(mode, 'exec sleep 3600', {
              driver: 'exec',
              group: {
                Networks: runtime === 'runc' ? [{ Mode: 'none' }] : [],
                Volumes: { v: { Name: 'v', Type: 'host', Source: mode } },
              },
              task: { VolumeMounts: [{ Volume: 'v', Destination: '/v', PropagationMode: mode }] },
            }),
          );
        const tasks = new Map<string, string>();
        for (const mode of modes) tasks.set(mode, (await allocationsOf(agent, mode, 'running'))[0]!.ID);
        const mountsOf = async (mode: string) => {
          const { stdout } = await runCli(agent!, [
            'alloc',
            'exec',
            tasks.get(mode)!,
            '/bin/cat',
            '/proc/self/mountinfo',
          ]);
          const points = stdout.split('\n').map((line) => line.split(' ')[4]);
          return ['/v', '/v/later', '/opt/later'].filter((point) => points.includes(point));
        };
        for (const mode of modes) expect(await mountsOf(mode)).toEqual(['/v']);
        // beside the volumes: a place of the system that tasks see
        onHost('mkdir', '-p', '/opt/later');
        for (const at of [...modes.map((mode) => join(place, mode, 'later')), '/opt/later'])
          onHost('mount', '-t', 'tmpfs', 'none', at);
        await eventually(async () => {
          expect(
            Object.fromEntries(await Promise.all(modes.map(async (mode) => [mode, await mountsOf(mode)]))),
          ).toEqual({
            private: ['/v'],
            'host-to-task': ['/v', '/v/later'],
            bidirectional: ['/v', '/v/later'],
          });
        }, 20_000);
        // and it is nothing that these tasks lost
        const { value } = await client.allocations.isolation(tasks.get('host-to-task')!);
        expect(value['t']!.mechanisms.find(({ name }) => name === 'read_only_system')).toMatchObject({
          state: 'verified',
        });
      },
      240_000,
    );
  },
);
