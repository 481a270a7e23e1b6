/**
 * What the pages of `docs/drivers` show of docker, podman, qemu, microvm and lxc, taken out of the page and run. Put in their place is only what
 * cannot be here: the image of that name is made of busybox, for no registry is reached; `/srv/images` is a directory of the test's; and
 * "kvm" is "tcg" where the node says that it has none.
 */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textAt } from '../../src/driver-kit/container-engine/engine-answers.ts';
import {
  lackingForDaemon,
  lackingForPodman,
  ordinaryUser,
  ScratchDaemon,
  scratchImage,
} from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import { busyboxRoot } from '../../src/drivers/microvm/scratch-root.ts';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { allocationsOf, nodeReady } from '../e2e/jobs.ts';

const root = join(import.meta.dirname, '../..');
const never = new AbortController().signal;

/** The blocks of the page that are indented by four, without the indentation. */
function blocksOf(page: string): readonly string[] {
  const text = readFileSync(join(root, `docs/drivers/${page}.md`), 'utf8');
  return [...text.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gm)].map(([block]) => block.replace(/^ {4}/gm, ''));
}

function blockOf(page: string, begins: string): string {
  const found = blocksOf(page).find((block) => block.startsWith(begins));
  if (found === undefined) throw new Error(`docs/drivers/${page}.md shows nothing that begins with ${begins}`);
  return found;
}

/** The part of a block from a line on that begins so. */
const from = (block: string, begins: string): string => block.slice(block.indexOf(begins));

/** A group as a page shows it, or a task of one. */
function jobFile(directory: string, name: string, shown: string, type = 'service'): string {
  const group = shown.startsWith('group') ? shown : `group "g" {\n${shown}\n}`;
  const path = join(directory, `${name}.nomad.hcl`);
  writeFileSync(path, `job "${name}" {\ntype = "${type}"\n${group}\n}\n`);
  return path;
}

async function run(agent: AgentProcess, file: string): Promise<void> {
  const ran = await runCli(agent, ['job', 'run', '-detach', file]);
  expect(ran, ran.stdout).toMatchObject({ code: 0, stderr: '' });
}

const healthy = (agent: AgentProcess, driver: string) =>
  eventually(async () => {
    expect((await nodeReady(agent)).Drivers?.[driver]).toMatchObject({ Healthy: true });
  }, 90_000);

/** The first life of the job's task, which has its name; gives the id of the allocation. */
const endsWithSeven = (agent: AgentProcess, name: string): Promise<string> =>
  eventually(async () => {
    const [row] = (await agent.client.jobs.allocations(name)).value;
    expect(JSON.stringify(row?.TaskStates?.[name]?.Events)).toContain('Exit Code: 7');
    return row!.ID;
  }, 90_000);

/** The image by this name: busybox's server of web pages. */
async function makeServer(daemon: ScratchDaemon, name: string): Promise<void> {
  const Ulimits = ['nofile', 'nproc'].map((Name) => ({ Name, Soft: 1024, Hard: 1024 }));
  const body = {
    Image: daemon.engine === 'podman' ? `localhost/${scratchImage}` : scratchImage,
    Cmd: ['/bin/sh', '-c', 'mkdir /www && echo served > /www/index.html'],
    HostConfig: { NetworkMode: 'none', Ulimits },
  };
  const { client } = daemon;
  const id = textAt(await client.json('POST', '/containers/create', { body, signal: never }), 'Id');
  await client.text('POST', `/containers/${id}/start`, { signal: never });
  await client.json('POST', `/containers/${id}/wait`, { signal: never });
  const [repo = '', tag = ''] = name.split(':');
  const changes = 'CMD ["/bin/httpd", "-f", "-p", "80", "-h", "/www"]';
  await client.text('POST', '/commit', { query: { container: id, repo, tag, changes }, body: {}, signal: never });
  await client.text('DELETE', `/containers/${id}`, { query: { force: 'true' }, signal: never });
}

/** Says "up" on its serial port and stands still. */
function idleDisk(): Buffer {
  const disk = Buffer.alloc(1 << 20);
  const said = [...Buffer.from(`${'\n'.repeat(16)}up\n`)].flatMap((byte) => [0xba, 0xf8, 0x03, 0xb0, byte, 0xee]);
  disk.set([...said, 0xf4, 0xeb, 0xfd]);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

const images = mkdtempSync(join(tmpdir(), 'drover-pages-'));
beforeAll(() => {
  chmodSync(images, 0o755);
  busyboxRoot(join(images, 'busybox'));
  writeFileSync(join(images, 'linux.img'), idleDisk(), { mode: 0o644 });
});
afterAll(() => rmSync(images, { recursive: true, force: true }));
const substituted = (shown: string): string => shown.replaceAll('/srv/images', images);

const agents = [
  { who: 'root', user: undefined },
  { who: 'an ordinary user', user: ordinaryUser },
] as const;
const kernel = await findKernel('');
const lacking = [...lackingForDaemon, ...lackingForPodman];

describe.skipIf(lacking.length > 0).each(agents)('under an agent of $who', ({ user }) => {
  const daemons: Record<string, ScratchDaemon> = {};
  let agent: AgentProcess;

  beforeAll(async () => {
    daemons['docker'] = await ScratchDaemon.open();
    daemons['podman'] = await ScratchDaemon.open({ engine: 'podman', rootless: user !== undefined });
    await makeServer(daemons['docker'], 'nginx:1.27');
    await makeServer(daemons['podman'], 'docker.io/library/nginx:1.27');
    if (user !== undefined) {
      // a member of the group that may speak to the daemon
      chmodSync(daemons['docker'].root, 0o755);
      chownSync(daemons['docker'].socket, user, user);
    }
    const config = join(images, `shown-${user ?? 0}.hcl`);
    writeFileSync(config, substituted(['qemu', 'microvm'].map((page) => blockOf(page, 'plugin')).join('\n')));
    agent = await startAgent({
      args: ['-server', '-client', '-config', config],
      ...(user === undefined ? {} : { user }),
      config: {
        client: { enabled: true, network_interface: 'lo' },
        plugin: {
          docker: { config: { endpoint: daemons['docker'].endpoint } },
          podman: { config: { socket_path: daemons['podman'].endpoint } },
        },
      },
    });
  }, 240_000);
  afterAll(async () => {
    await agent?.dispose();
    for (const each of Object.values(daemons)) await each.close();
  }, 60_000);

  const portOf = async (job: string, label: string) => {
    const [row] = await allocationsOf(agent, job, 'running');
    const { value } = await agent.client.allocations.read(row!.ID);
    return { id: row!.ID, port: value.AllocatedResources?.Shared.Ports?.find((each) => each.Label === label)?.Value };
  };

  it.each(['docker', 'podman'])('the job of the page of %s serves a page at its port', async (driver) => {
    await healthy(agent, driver);
    await run(agent, jobFile(agent.directory, driver, blockOf(driver, 'group')));
    const { port } = await portOf(driver, 'http');
    await eventually(async () => {
      expect(await daemons[driver]!.inNetwork('busybox', 'wget', '-q', '-O', '-', `http://127.0.0.1:${port}/`)).toBe(
        'served\n',
      );
    });
  });

  it('the job of the page of qemu is a machine that is spoken to at its port', async () => {
    await healthy(agent, 'qemu');
    const { value } = await agent.client.nodes.read((await nodeReady(agent)).ID);
    const shown = substituted(blockOf('qemu', 'group'));
    const kvm = value.Attributes?.['driver.qemu.kvm'] === '1';
    await run(agent, jobFile(agent.directory, 'qemu', kvm ? shown : shown.replace('"kvm"', '"tcg"')));
    const { id, port } = await portOf('qemu', 'ssh');
    await eventually(async () => expect((await runCli(agent, ['alloc', 'logs', id])).stdout).toContain('up\n'));
    await new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: port! }, () => resolve(socket.destroy()));
      socket.on('error', reject);
    });
  });

  it.skipIf(kernel === null)('the job of the page of microvm says its kernel and ends as the page says', async () => {
    await healthy(agent, 'microvm');
    await run(agent, jobFile(agent.directory, 'job', substituted(blockOf('microvm', 'task')), 'batch'));
    const id = await endsWithSeven(agent, 'job');
    expect((await runCli(agent, ['alloc', 'logs', id])).stdout).toMatch(/^\d+\.\d+\S*\n/);
  });
});

const lxcIsHere = process.getuid?.() === 0 && spawnSync('lxc-execute', ['--version']).status === 0;

describe.skipIf(!lxcIsHere)('the page of lxc', () => {
  let agent: AgentProcess;

  // in mounts of its own: what the page names is there, and nothing of the host's
  beforeAll(async () => {
    const shown = blocksOf('lxc').join('\n');
    const config = join(images, 'lxc.hcl');
    writeFileSync(config, from(shown, 'plugin_dir').slice(0, from(shown, 'plugin_dir').indexOf('task ')));
    mkdirSync(join(images, 'bin'));
    symlinkSync(drover, join(images, 'bin/drover'));
    const commands = shown.slice(0, shown.indexOf('plugin_dir'));
    const script = `
      for each in /opt /var/lib/lxc; do mount -t tmpfs tmpfs $each; done
      (cd ${root}; PATH=${images}/bin:$PATH; ${commands}) >&2
      exec "$@"`;
    agent = await startAgent({
      args: ['-server', '-client', '-config', config],
      config: { client: { enabled: true } },
      wrap: (agentCommand) => [
        'unshare',
        '--mount',
        '--propagation',
        'slave',
        'sh',
        '-ec',
        script,
        'sh',
        ...agentCommand,
      ],
    });
  }, 240_000);
  afterAll(() => agent?.dispose(), 60_000);

  it('leads from the source of the driver to a task that ends as the page says', async () => {
    await healthy(agent, 'lxc');
    await run(agent, jobFile(agent.directory, 'box', from(blocksOf('lxc').join('\n'), 'task '), 'batch'));
    await endsWithSeven(agent, 'box');
  });
});
