// Each option is seen from inside a container, or in what podman says about it.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { lackingForPodman, ScratchDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { listen, outputOf, ScratchDocker, shell } from '../docker/scratch-docker.ts';
import { imageSource } from './translate.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;
let plain: EngineDriver;

beforeAll(async () => {
  if (lackingForPodman.length > 0) return;
  scratch = await ScratchDocker.open({ engine: 'podman' });
  plain = scratch.driver().engine;
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const under = (config: Record<string, unknown>): EngineDriver => scratch.driver(config).engine;
const says = async (script: string, config: Record<string, unknown> = {}, by = plain, more: Partial<TaskConfig> = {}) =>
  (await scratch.run(by, await scratch.task(shell(script, config), more))).stdout.trim();
const refusal = (
  config: Record<string, unknown>,
  by = plain,
  ...how: [more?: Partial<TaskConfig>, told?: 'not told']
) => scratch.refusal(by, config, ...how);
/** How podman keeps a container's output, which it tells in its own form alone. */
async function logConfig(config: Record<string, unknown>, by = plain): Promise<unknown> {
  const of = await scratch.task(shell('sleep 60', config));
  const { state } = await by.start(of, never);
  const path = `/v4.0.0/libpod/containers/${String(state['containerId'])}/json`;
  const answer = (await scratch.daemon.client.json('GET', path, { signal: never })) as Inspected;
  await by.destroy(of.id, { force: true }, never);
  return answer.HostConfig['LogConfig'];
}
interface Inspected {
  readonly Config: Readonly<Record<string, unknown>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
}
/** What podman says about a running task's container. */
async function inspected(
  config: Record<string, unknown>,
  by = plain,
  more: Partial<TaskConfig> = {},
): Promise<Inspected> {
  const of = await scratch.task(shell('sleep 60', config), more);
  const { state } = await by.start(of, never);
  try {
    const path = `/containers/${String(state['containerId'])}/json`;
    return (await scratch.daemon.client.json('GET', path, { signal: never })) as Inspected;
  } finally {
    await by.destroy(of.id, { force: true }, never);
  }
}

const port = { label: 'http', value: 23_812, to: 8080, hostIp: '127.0.0.1' };
const resources = { cpuShares: 512, cpusetCpus: '', memoryMb: 64, memoryMaxMb: 0, percentTicks: 0.25, ports: [port] };

describe.skipIf(lackingForPodman.length > 0)('what a task of podman asks for, it gets:', { timeout: 90_000 }, () => {
  test('processor time, memory and swap, labels, how its output is kept', async () => {
    const { HostConfig, Config } = await inspected(
      {
        ...{ cpu_hard_limit: true, cpu_cfs_period: 50_000, pids_limit: 77, memory_swap: '180m', memory_swappiness: 60 },
        labels: [{ colour: 'green' }],
      },
      plain,
      { resources },
    );
    expect(HostConfig).toMatchObject({ CpuPeriod: 50_000, PidsLimit: 77, MemorySwap: 180 << 20, MemorySwappiness: 60 });
    expect(HostConfig['CpuQuota']).toBeGreaterThanOrEqual(0.25 * 50_000);
    const logging = [{ driver: 'k8s-file', options: [{ 'max-size': '3mb' }] }];
    expect(await logConfig({ logging })).toMatchObject({ Type: 'k8s-file', Size: '3MB' });
    expect(Config['Labels']).toMatchObject({ colour: 'green' });
  });

  test('sysctl, oom_score_adj, extra_hosts, volumes, devices, an init of its own', async () => {
    const script =
      'cat /proc/sys/kernel/msgmax /proc/self/oom_score_adj; grep -c other /etc/hosts; head -c 5 /host/passwd; echo; touch /host/x 2>/dev/null || echo refused; (: < /dev/mine) && echo read; (: > /dev/mine) 2>/dev/null || echo refused';
    const options = {
      ...{ sysctl: [{ 'kernel.msgmax': '65537' }], oom_score_adj: 500, network_mode: 'bridge' },
      ...{ extra_hosts: ['other:10.1.2.3'], volumes: ['/etc:/host:ro'], devices: ['/dev/loop-control:/dev/mine:r'] },
    };
    expect(await says(script, options)).toBe('65537\n500\n1\nroot:\nrefused\nread\nrefused');
    // podman's own init: pid 1, which reaps what the task leaves
    if (existsSync('/usr/bin/catatonit')) {
      const orphan =
        '(sleep 0.2 &); sleep 1; tr "\\0" " " < /proc/1/cmdline; echo; grep -l "^State:.Z" /proc/[0-9]*/status | wc -l';
      expect(await says(orphan, { init: true })).toMatch(/^\/run\/podman-init -- .*\n0$/);
    }
    // of the image's own entry point and command, too
    const of = await scratch.task({ init: true, init_path: '/bin/busybox', command: 'echo', args: ['told'] });
    const { state } = await plain.start(of, never);
    await plain.wait(of.id, never);
    const path = `/containers/${String(state['containerId'])}/json`;
    const { Config } = (await scratch.daemon.client.json('GET', path, { signal: never })) as Inspected;
    expect(Config).toMatchObject({ Entrypoint: ['/run/drover-init', '--'], Cmd: ['echo', 'told'] });
    await plain.destroy(of.id, { force: false }, never);
    expect(
      await refusal({ init: true, init_path: '/bin/busybox' }, under({ volumes: [{ enabled: false }] })),
    ).toContain('init_path is of the host');
  });

  test('a terminal, capabilities within what the operator allows, memory of its own to share', async () => {
    expect(await says('test -t 1 && echo terminal', { tty: true })).toBe('terminal');
    const few = under({ allow_caps: ['chown', 'kill'] });
    const held = { cap_add: ['chown'], cap_drop: ['all'], ipc_mode: 'private' };
    expect(await says('grep CapBnd /proc/self/status', held, few)).toMatch(/0000000000000001$/);
    expect(await refusal({ cap_add: ['sys_chroot'] }, few)).toContain(
      'does not allow the following capabilities: sys_chroot',
    );
    expect(await says('readlink /proc/self/ns/ipc', { ipc_mode: 'private' })).not.toBe(
      await readlink('/proc/self/ns/ipc'),
    );
    expect(await refusal({ ipc_mode: 'host' })).toContain('allowed_modes');
  });

  test('a seccomp profile; labels of SELinux and profiles of AppArmor reach podman', async () => {
    const of = await scratch.task(
      shell('mkdir /tmp/d || echo refused', { security_opt: ['seccomp=local/profile.json'] }),
    );
    const denied = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }];
    const profile = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: denied });
    await writeFile(join(of.directories.local, 'profile.json'), profile);
    expect((await scratch.run(plain, of)).stdout).toBe('refused\n');
    const apparmor = await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => 'N');
    if (apparmor.startsWith('N'))
      expect(await refusal({ apparmor_profile: 'mine' }, plain, {}, 'not told')).toMatch(/apparmor/i);
    expect(await inspected({ selinux_opts: ['disable'] })).toMatchObject({
      HostConfig: { SecurityOpt: expect.arrayContaining(['label=disable']) },
    });
  });

  test('ports are published, in a network of its own with addresses and a name server', async () => {
    const published = await inspected({ network_mode: 'bridge', ports: ['http'] }, plain, { resources });
    expect(published.HostConfig['PortBindings']).toMatchObject({
      '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '23812' }],
    });
    const mapped = await inspected({ network_mode: 'bridge', port_map: [{ http: 9090 }] }, plain, { resources });
    expect(mapped.HostConfig['PortBindings']).toMatchObject({ '9090/udp': [{ HostPort: '23812' }] });
    const config = [{ Subnet: '172.31.97.0/24' }, { Subnet: 'fd00:97::/64' }];
    const body = { Name: 'own', EnableIPv6: true, IPAM: { Config: config } };
    await scratch.daemon.client.json('POST', '/networks/create', { body, signal: never });
    const script =
      'ip -4 -o addr show eth0 | tr -s " " | cut -d" " -f4; cat /sys/class/net/eth0/address; grep -c fd000097000000000000000000000017 /proc/net/if_inet6; grep -c 10.9.9.9 /etc/resolv.conf';
    const named = under({ dns_servers: ['10.9.9.9'] });
    const one = { ipv4_address: '172.31.97.7', ipv6_address: 'fd00:97::17', static_mac: '02:42:ac:1f:61:07' };
    expect(await refusal({ network_mode: 'absent' })).toBe('the engine knows no network "absent"');
    expect(await says(script, { network_mode: 'own', ...one }, named)).toBe('172.31.97.7/24\n02:42:ac:1f:61:07\n1\n1');
    const listed = { static_ips: ['172.31.97.8', 'fd00:97::17'], static_mac: '02:42:ac:1f:61:07' };
    expect(await says(script, { network_mode: 'own', ...listed }, named)).toContain('172.31.97.8/24\n');
  });

  test('the network of another task of its group', async () => {
    const first = await scratch.task(shell('readlink /proc/self/ns/net; sleep 60'));
    await plain.start(first, never);
    const made = await scratch.task(shell('readlink /proc/self/ns/net', { network_mode: 'task:main' }), {
      name: 'other',
    });
    const second = { ...made, allocId: first.allocId, id: made.id.replace(made.allocId, first.allocId) };
    const { stdout } = await scratch.run(plain, second);
    expect(stdout).toMatch(/^net:/);
    expect(stdout).toBe(await outputOf(first));
    await plain.destroy(first.id, { force: true }, never);
  });

  test('an image of an archive, by its name or without one', async () => {
    const saved = await scratch.daemon.client.stream(
      'GET',
      `/images/${encodeURIComponent(`localhost/${scratchImage}`)}/get`,
      {
        signal: never,
      },
    );
    const parts: Buffer[] = [];
    for await (const part of saved as AsyncIterable<Buffer>) parts.push(part);
    for (const image of ['docker-archive:local/app.tar', `docker-archive:local/app.tar:localhost/${scratchImage}`]) {
      const of = await scratch.task(shell('echo from an archive', { image }));
      await writeFile(join(of.directories.local, 'app.tar'), Buffer.concat(parts));
      expect((await scratch.run(plain, of)).stdout).toBe('from an archive\n');
    }
  });
});

describe.skipIf(lackingForPodman.length > 0)('an operator of podman', { timeout: 90_000 }, () => {
  test('labels containers and mounts, and says how output is kept', async () => {
    const by = under({
      ...{ extra_labels: ['task_name'], volumes: [{ enabled: true, selinuxlabel: 'z' }] },
      logging: [{ driver: 'k8s-file', options: [{ 'max-size': '5mb' }] }],
    });
    const { Config } = await inspected({}, by);
    expect(Config['Labels']).toMatchObject({ 'com.hashicorp.nomad.task_name': 'main' });
    expect(await logConfig({}, by)).toMatchObject({ Type: 'k8s-file', Size: '5MB' });
  });

  test('allows paths of the host and privileges, or does not', async () => {
    expect(await refusal({ volumes: ['/etc:/host'] }, under({ volumes: [{ enabled: false }] }))).toContain(
      'volumes are not enabled',
    );
    expect(await refusal({ privileged: true }, under({ allow_privileged: false }))).toContain('allow_privileged');
    // a host that lacks capabilities itself cannot give them, and its runtime says so
    expect(await refusal({ privileged: true }, under({ allow_privileged: true }))).toMatch(
      /it was started|caps|permitted/,
    );
  });

  test('keeps paths of the host from jobs by whatever option names them', async () => {
    const closed = under({ volumes: [{ enabled: false }] });
    const ofHost = join(scratch.host.scratch.root, 'of-the-host');
    const work = join(scratch.host.scratch.root, 'work');
    for (const each of [ofHost, work]) await mkdir(each);
    await writeFile(join(ofHost, 'secret'), 'secret');
    const written = { volumes: [`local:/h:O,upperdir=${ofHost},workdir=${work}`] };
    expect(await says('cat /h/secret', written), 'where they are allowed').toBe('secret');
    expect(await refusal(written, closed)).toContain('mode "O"');
    expect(await refusal({ volumes: ['local:/h:ro,U'] }, closed)).toContain('mode "U"');

    const log = { logging: [{ driver: 'k8s-file', options: [{ path: join(ofHost, 'log') }] }] };
    expect(await logConfig(log), 'where they are allowed').toMatchObject({ Path: join(ofHost, 'log') });
    for (const name of ['path', `path=${ofHost}/log`])
      expect(await refusal({ logging: [{ driver: 'k8s-file', options: [{ [name]: '/x' }] }] }, closed)).toContain(
        'a path of the host for the output',
      );

    const volume = { hostPath: work, readOnly: true, propagation: '' } as const;
    for (const taskPath of [`/h,source=${ofHost}`, '/h,rw', '/h\n'])
      expect(await refusal({}, closed, { mounts: [{ ...volume, taskPath }] })).toContain('no comma');
  });

  test('leaves output with podman, and ended containers where they are', async () => {
    const by = under({ disable_log_collection: true, gc: [{ container: false }] });
    const of = await scratch.task(shell('echo kept by podman'));
    const { state } = await by.start(of, never);
    await by.wait(of.id, never);
    await by.destroy(of.id, { force: false }, never);
    expect(await outputOf(of)).toBe('');
    const path = `/containers/${String(state['containerId'])}`;
    const { client } = scratch.daemon;
    expect(await client.text('GET', `${path}/logs`, { query: { stdout: 'true' }, signal: never })).toContain(
      'kept by podman',
    );
    await client.text('DELETE', path, { signal: never });
  });

  test('may say what has no effect here, and gets the same container', async () => {
    const { Binds: _, ...usual } = (await inspected({})).HostConfig;
    const old = under({
      recover_stopped: true,
      client_http_timeout: '1s',
      networking: [{ default_rootless_mode: 'none' }],
    });
    const { Binds: __, ...said } = (await inspected({}, old)).HostConfig;
    expect({ ...said, ContainerIDFile: '', ConmonPidFile: '' }).toEqual({
      ...usual,
      ContainerIDFile: '',
      ConmonPidFile: '',
    });
  });
});

test('the archive of an image is told from its name', () => {
  expect(imageSource('docker-archive:local/app.tar:app:1')).toEqual({ load: 'local/app.tar', image: 'app:1' });
  expect(imageSource('oci-archive:///local/app.tar')).toEqual({ load: '/local/app.tar', image: '' });
  expect(imageSource('docker.io/library/redis:7')).toBeNull();
});

describe.skipIf(lackingForPodman.length > 0)('two services of podman', { timeout: 90_000 }, () => {
  let other: ScratchDaemon;
  beforeAll(async () => {
    other = await ScratchDaemon.open({ engine: 'podman' });
  }, 60_000);
  afterAll(() => other?.close(), 60_000);

  test('each has its tasks, by name; where one is away the driver says which, and the other goes on', async () => {
    const { engine } = scratch.driver({
      socket_path: '',
      socket: [{ socket_path: scratch.daemon.endpoint }, { name: 'of-other', socket_path: other.endpoint }],
    });
    const health = listen(engine);
    const { attributes } = await health.is('healthy', 60_000);
    expect(attributes).toMatchObject({
      'driver.podman.version': expect.stringMatching(/^\d/),
      'driver.podman.of_other.version': expect.stringMatching(/^\d/),
    });
    const [here, there] = [
      await scratch.task(shell('sleep 300')),
      await scratch.task(shell('sleep 300', { socket: 'of-other' })),
    ];
    const states = [(await engine.start(here, never)).state, (await engine.start(there, never)).state];
    const runs = async (daemon: ScratchDaemon) =>
      ((await daemon.client.json('GET', '/containers/json', { signal: never })) as { readonly Id: string }[]).map(
        ({ Id }) => Id,
      );
    expect(await runs(scratch.daemon)).toContain(states[0]!['containerId']);
    // beside containers in which it is tried what they stop
    expect(await runs(other)).toContain(states[1]!['containerId']);
    expect(await runs(scratch.daemon)).not.toContain(states[1]!['containerId']);
    await expect(engine.start(await scratch.task(shell('true', { socket: 'none' })), never)).rejects.toThrow(
      'socket "none" is none of this node\'s: "default", "of-other"',
    );
    // another life of the agent
    const again = scratch.driver({
      socket_path: '',
      socket: [{ socket_path: scratch.daemon.endpoint }, { name: 'of-other', socket_path: other.endpoint }],
    }).engine;
    await again.recover(there, JSON.parse(JSON.stringify(states[1])), never);
    expect((await again.inspect(there.id, never)).state).toBe('running');
    await other.kill('SIGKILL');
    expect((await health.is('unhealthy', 15_000, /of-other: /)).description).toContain(
      'of-other: Failed to connect to podman daemon',
    );
    await engine.stop(here.id, { timeoutMs: 5_000, killSignal: 'SIGKILL' }, never);
    await engine.destroy(here.id, { force: false }, never);
    await other.start();
    await health.is('healthy', 60_000);
    for (const each of [engine, again]) await each.destroy(there.id, { force: true }, never).catch(() => undefined);
    expect(await runs(other)).not.toContain(states[1]!['containerId']);
    health.stop();
  });

  test('a name twice, and a path beside the blocks, are refused', () => {
    const named = { name: 'a', socket_path: '/run/a' };
    expect(() => scratch.driver({ socket_path: '', socket: [named, named] })).toThrow('socket "a" is there twice');
    expect(() => scratch.driver({ socket: [named] })).toThrow('socket_path: each service has its path');
  });
});
