/** `driver = "auto"`: one job, unchanged, on three clients of different ability; each runs it as strictly as it can. */
import { createWriteStream, existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lackingForDaemon, ScratchDaemon, scratchImage } from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { endLeftovers } from '../processes.ts';
import { runCli } from './cli.ts';
import { nodeReady, shellJob } from './jobs.ts';

/** Emulated where KVM does not boot its kernel: the job names it. */
const machines = existsSync('/vmlinuz') && existsSync('/usr/bin/qemu-system-x86_64');
const token = 'the-join-token-of-this-test';
const cgroupParent = `drover-auto-${process.pid}`;
const text = `job "one" {
  type = "system"
  group "g" {
    network { mode = "none" }
    task "t" {
      driver = "auto"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo run with $1 in $NOMAD_TASK_DIR; exec sleep 600", "sh", "\${NOMAD_TASK_DIR}"]
        image   = "${scratchImage}"
        load    = "LOAD"
        among   = ["microvm", "docker", "exec", "raw_exec"]
      }
      resources { memory = 128 }
    }
  }
}`;

describe.skipIf(lackingForDaemon.length > 0)('driver "auto" on three clients of different ability', () => {
  let daemon: ScratchDaemon;
  let server: AgentProcess;
  const nodes = new Map<string, AgentProcess>();
  let file: string;
  let images: string;

  const wanted = {
    sandboxes: ['exec', 'container'],
    containers: ['docker', 'sandbox'],
    bare: ['raw_exec', 'none'],
    machines: ['microvm', 'container'],
  } as const;

  const startNode = (name: string, drivers: string) =>
    startAgent({
      args: ['-client'],
      config: {
        name,
        client: {
          enabled: true,
          servers: [`127.0.0.1:${server.port}`],
          join_token: token,
          cgroup_parent: cgroupParent,
          options: { 'driver.allowlist': drivers },
        },
        plugin: {
          raw_exec: { config: { enabled: true } },
          microvm: { config: { image_paths: [images] } },
          docker: { config: { endpoint: daemon.endpoint } },
        },
      },
    });

  beforeAll(async () => {
    daemon = await ScratchDaemon.open();
    images = await mkdtemp(join(tmpdir(), 'drover-auto-images-'));
    const path = `/images/${encodeURIComponent(scratchImage)}/get`;
    const saved = await daemon.client.stream('GET', path, { signal: new AbortController().signal });
    await pipeline(saved, createWriteStream(join(images, 'one.tar')));
    // a node that takes long to start again on a busy machine is not lost
    const config = { name: 'server1', server: { enabled: true, join_token: token, heartbeat_grace: '120s' } };
    server = await startAgent({ args: ['-server'], config });
    const able: Record<string, string> = {
      sandboxes: 'exec,raw_exec',
      containers: 'docker,raw_exec',
      bare: 'raw_exec',
    };
    if (machines) Object.assign(able, { machines: 'microvm,raw_exec' });
    for (const [name, drivers] of Object.entries(able)) nodes.set(name, await startNode(name, drivers));
    // a driver that boots a machine to know itself is there some seconds after the agent
    for (const name of nodes.keys())
      await eventually(async () => {
        const { Drivers } = await nodeReady(server, name);
        expect(Drivers?.[wanted[name as keyof typeof wanted][0]]).toMatchObject({ Healthy: true });
      }, 90_000);
    file = join(server.directory, 'one.nomad.hcl');
    writeFileSync(file, text.replace('LOAD', join(images, 'one.tar')));
  }, 240_000);

  afterAll(async () => {
    await server?.client.jobs.deregister('one', { purge: true }).catch(() => undefined);
    await eventually(async () => {
      const { value } = await server.client.allocations.list();
      if (value.some((row) => row.ClientStatus === 'running')) throw new Error('allocations still run');
    }, 20_000).catch(() => undefined);
    for (const node of nodes.values()) {
      await node.crash();
      await endLeftovers(node.directory, cgroupParent);
      await node.dispose();
    }
    await server?.dispose();
    await daemon?.close();
    if (images !== undefined) await rm(images, { recursive: true });
  });

  const rows = async () => {
    const { value } = await server.client.jobs.allocations('one');
    return Object.fromEntries(value.map((row) => [row.NodeName, row]));
  };
  it('the plan and explain say for each node which driver it would be, and why', async () => {
    const plan = await runCli(server, ['job', 'plan', file]);
    expect(plan.stdout).toMatch(
      /task "t" of group "g" on node "sandboxes": driver "exec" \(microvm: not on this node; docker: not on this node;/i,
    );
    expect(plan.stdout).toMatch(/on node "containers": driver "docker"/);
    expect(plan.stdout).toMatch(
      /on node "bare": driver "raw_exec" \(.*exec: not on this node; raw_exec: rung "none"\)/,
    );
    const { stdout } = await runCli(server, ['explain', file]);
    expect(stdout).toContain('t (auto)');
    expect(stdout).toMatch(/t +raw_exec +microvm: not on this node/);
  });

  it('each client runs it by the strictest driver it has: three rungs of one job', async () => {
    expect(await runCli(server, ['job', 'run', '-detach', file])).toMatchObject({ code: 0 });
    await eventually(async () => {
      const found = Object.values(await rows());
      if (found.length < nodes.size || found.some((row) => row.ClientStatus !== 'running'))
        throw new Error(JSON.stringify(found.map((row) => [row.NodeName, row.ClientStatus, row.TaskStates])));
    }, 60_000);
    for (const [name, row] of Object.entries(await rows())) {
      const [driver, rung] = wanted[name as keyof typeof wanted];
      const isolation = (await server.client.allocations.isolation(row.ID)).value['t'];
      expect([name, row.TaskStates?.['t']?.DriverChoice?.Driver, isolation?.rung ?? 'none']).toEqual([
        name,
        driver,
        rung,
      ]);
      const events = row.TaskStates?.['t']?.Events ?? [];
      expect(events.find(({ Type }) => Type === 'Driver')?.DisplayMessage).toContain(`Driver "${driver}" chosen.`);
      const status = await runCli(server, ['alloc', 'status', row.ID]);
      expect(status.stdout).toMatch(new RegExp(`Driver +(= )?${driver} \\(chosen by auto\\)`));
    }
  });

  it('the command is told the same things, each in its driver’s own paths', async () => {
    for (const [name, row] of Object.entries(await rows())) {
      // a machine boots first
      const stdout = await eventually(async () => {
        const logs = await runCli(server, ['alloc', 'logs', row.ID, 't']);
        if (!logs.stdout.includes('\n')) throw new Error(`nothing from ${name}: ${logs.stdout}${logs.stderr}`);
        return logs.stdout;
      }, 90_000);
      const local = name === 'bare' ? /^\/.*\/t\/local$/ : /^\/local$/;
      const [, given, seen] = /^run with (\S+) in (\S+)$/m.exec(stdout) ?? [];
      expect(given).toBe(seen);
      expect(given).toMatch(local);
    }
  });

  it('a client that starts again keeps its choice and its task', async () => {
    const before = (await rows())['containers']!;
    const node = nodes.get('containers')!;
    await node.crash();
    nodes.set('containers', await node.restart());
    await nodeReady(server, 'containers');
    const after = (await rows())['containers']!;
    expect(after.ID).toBe(before.ID);
    expect(after.ClientStatus).toBe('running');
    const state = after.TaskStates?.['t'];
    expect(state?.DriverChoice).toEqual(before.TaskStates?.['t']?.DriverChoice);
    expect(state?.Restarts).toBe(0);
    expect(state?.Events?.filter(({ Type }) => Type === 'Driver')).toHaveLength(1);
  });

  it('what no driver of a node can keep is named, driver by driver', async () => {
    const job = shellJob('strict', 'sleep 600', {
      type: 'system',
      driver: 'auto',
      task: { Isolation: { Min: 'vm', Require: null, OnDegrade: '' } },
    });
    const { value } = await server.client.jobs.plan(job);
    const reasons = Object.keys(value.FailedTGAllocs?.['g']?.ConstraintFiltered ?? {});
    expect(reasons.join()).toMatch(/no driver for task "t": .*exec: gives "sandbox" here, below the floor; missing: /);
  });

  it('an option that "auto" does not have is shown with the nearest one', async () => {
    writeFileSync(join(server.directory, 'wrong.nomad.hcl'), text.replace('image ', 'imagee'));
    const { stderr, stdout } = await runCli(server, ['job', 'plan', join(server.directory, 'wrong.nomad.hcl')]);
    expect(`${stdout}${stderr}`).toMatch(/imagee[\s\S]*image/);
  });
});
