/** An agent over a daemon that is set up in another way than usual: the path of a task from its start to its end. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lackingForDaemon, ScratchDaemon, scratchImage } from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';

const daemons = [
  { way: 'that maps users', options: { remapped: true }, root: '1800000000', isolation: /process/ },
  { way: 'reached by TCP', options: { tcp: true }, root: '0', isolation: /none/ },
] as const;

const script = `
trap 'echo stopped; exit 0' TERM
echo "root of $(awk '$1 == 0 { print $2 }' /proc/self/uid_map)"
touch /alloc/data/mine /local/mine /secrets/mine /data/mine 2>&1 && echo wrote
while :; do sleep 0.2; done`;

const job = (volume: string) => `
job "path" {
  type = "service"
  group "g" {
    volume "data" {
      type   = "host"
      source = "${volume}"
    }
    task "t" {
      driver       = "docker"
      kill_timeout = "20s"
      config {
        image   = "${scratchImage}"
        command = "/bin/sh"
        args    = ["-c", ${JSON.stringify(script).replaceAll('${', '$${')}]
      }
      volume_mount {
        volume      = "data"
        destination = "/data"
      }
      resources {
        memory = 32
      }
    }
  }
}`;

describe.skipIf(lackingForDaemon.length > 0).each(daemons)('under a daemon $way', ({ options, root, isolation }) => {
  const volume = mkdtempSync(join(tmpdir(), 'drover-volume-'));
  let daemon: ScratchDaemon;
  let agent: AgentProcess;

  beforeAll(async () => {
    daemon = await ScratchDaemon.open(options);
    agent = await startAgent({
      config: {
        client: { enabled: true, host_volume: { data: { path: volume } } },
        plugin: { docker: { config: { endpoint: 'tcp' in options ? daemon.endpointByTcp : daemon.endpoint } } },
      },
    });
  }, 180_000);
  afterAll(async () => {
    await agent?.dispose();
    await daemon?.close();
    rmSync(volume, { recursive: true, force: true });
  });

  const cli = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli(agent, args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };

  it('a task starts, is heard, entered and measured, is found again by the next agent, and stops', async () => {
    await eventually(async () => {
      expect((await nodeReady(agent)).Drivers?.['docker']).toMatchObject({ Healthy: true });
    });
    chmodSync(volume, 0o777);
    const file = join(agent.directory, 'path.nomad.hcl');
    writeFileSync(file, job('data'));
    await cli('job', 'run', '-detach', file);
    const [row] = await allocationsOf(agent, 'path', 'running');
    const id = row!.ID;
    const said = `root of ${root}\nwrote\n`;
    const heard = (wanted: string) =>
      eventually(async () => expect(await cli('alloc', 'logs', id, 't')).toBe(wanted), 30_000);
    const works = async (): Promise<void> => {
      expect(await cli('alloc', 'exec', '-task', 't', id, 'sh', '-c', 'echo in; ls /data')).toBe('in\nmine\n');
      await eventually(async () => {
        const { value } = await agent.client.allocations.stats(id);
        expect(value.Tasks?.['t']?.ResourceUsage?.MemoryStats?.Usage).toBeGreaterThan(0);
      });
    };
    await heard(said);
    await works();
    expect(await cli('alloc', 'status', '-verbose', id)).toMatch(isolation);

    await agent.crash();
    agent = await agent.restart();
    await nodeReady(agent);
    await eventually(async () => expect((await allocationsOf(agent, 'path', 'running'))[0]?.ID).toBe(id));
    await eventually(works);
    await cli('job', 'stop', '-detach', 'path');
    await allocationsOf(agent, 'path', 'complete');
    await heard(`${said}stopped\n`);
  });
});
