// Each option is seen from inside a container, or in what the daemon says about it.
import { spawn } from 'node:child_process';
import { mkdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { lackingForDaemon } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { outputOf, type Ran, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;
let plain: EngineDriver;
/** With everything that an operator can allow. */
let open: EngineDriver;

beforeAll(async () => {
  if (lackingForDaemon.length > 0) return;
  scratch = await ScratchDocker.open();
  plain = scratch.driver().engine;
  open = scratch.driver({
    volumes: [{ enabled: true }],
    allow_privileged: true,
    allow_caps: ['all'],
    extra_labels: ['task_*', 'namespace'],
    logging: [{ type: 'local', config: [{ 'max-size': '1m' }] }],
    pids_limit: 300,
  }).engine;
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

async function ran(config: Record<string, unknown>, by = plain, more: Partial<TaskConfig> = {}): Promise<Ran> {
  return scratch.run(by, await scratch.task(config, more));
}
const says = async (script: string, config: Record<string, unknown>, by = plain, more: Partial<TaskConfig> = {}) =>
  (await ran(shell(script, config), by, more)).stdout.trim();
const refusal = (
  config: Record<string, unknown>,
  by = plain,
  ...how: [more?: Partial<TaskConfig>, told?: 'not told']
) => scratch.refusal(by, config, ...how);
/** What the daemon says about a running task's container. */
async function inspected(config: Record<string, unknown>, by = plain, more: Partial<TaskConfig> = {}) {
  const of = await scratch.task(shell('sleep 60', config), more);
  const { state } = await by.start(of, never);
  try {
    const path = `/containers/${String(state['containerId'])}/json`;
    return (await scratch.daemon.client.json('GET', path, { signal: never })) as {
      readonly Config: Record<string, unknown>;
      readonly HostConfig: Record<string, unknown>;
      readonly NetworkSettings: Record<string, unknown>;
    };
  } finally {
    await by.destroy(of.id, { force: true }, never);
  }
}

describe.skipIf(lackingForDaemon.length > 0)('what a task of docker asks for, it gets:', () => {
  test('command, args, entrypoint, work_dir, hostname, tty, env and user', async () => {
    expect((await ran({ args: ['sh', '-c', 'echo args alone'] })).stdout).toBe('args alone\n');
    expect((await ran({ entrypoint: ['/bin/echo', 'before'], args: ['after'] })).stdout).toBe('before after\n');
    expect(await says('pwd; hostname', { work_dir: '/tmp', hostname: 'box' })).toBe('/tmp\nbox');
    expect(await says('test -t 1 && echo terminal', { tty: true })).toBe('terminal');
    expect(
      await says('echo $GREETING; id -u', {}, plain, { env: { GREETING: 'hi', PATH: '/bin' }, user: '65534' }),
    ).toBe('hi\n65534');
  });

  test('the task directories, the logs not to be written', async () => {
    const of = await scratch.task(
      shell('echo a > /alloc/data/a; echo l > /local/l; echo s > /secrets/s; touch /alloc/logs/x || echo refused'),
    );
    const { stdout } = await scratch.run(plain, of);
    expect(stdout).toBe('refused\n');
    const { readFile } = await import('node:fs/promises');
    expect(await readFile(join(of.directories.local, 'l'), 'utf8')).toBe('l\n');
    expect(await readFile(join(of.directories.shared, 'data', 'a'), 'utf8')).toBe('a\n');
  });

  test('memory, memory_hard_limit, cpu_hard_limit, cpu_cfs_period, cores, pids_limit, shm_size, ulimit, sysctl, oom_score_adj', async () => {
    const resources = { cpuShares: 512, cpusetCpus: '0', memoryMb: 48, memoryMaxMb: 0, percentTicks: 0.25, ports: [] };
    const { HostConfig } = await inspected(
      { memory_hard_limit: 96, cpu_hard_limit: true, cpu_cfs_period: 50_000, pids_limit: 77 },
      plain,
      { resources },
    );
    const { NCPU } = (await scratch.daemon.client.json('GET', '/info', { signal: never })) as { readonly NCPU: number };
    expect(HostConfig).toMatchObject({
      Memory: 96 << 20,
      MemoryReservation: 48 << 20,
      MemorySwap: 96 << 20,
      CpuShares: 512,
      CpuPeriod: 50_000,
      CpuQuota: Math.floor(0.25 * 50_000 * NCPU),
      CpusetCpus: '0',
      PidsLimit: 77,
    });
    const script =
      'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; ulimit -n; cat /proc/sys/net/core/somaxconn; cat /proc/self/oom_score_adj';
    const options = {
      shm_size: 8 << 20,
      ulimit: [{ nofile: '300:400' }],
      sysctl: [{ 'net.core.somaxconn': '77' }],
      oom_score_adj: 500,
    };
    expect(await says(script, options)).toBe('8192\n300\n77\n500');
    expect((await inspected({})).HostConfig['PidsLimit']).toBe(4096);
    expect(await refusal({ memory_hard_limit: 8 })).toContain('memory_hard_limit 8 is less than memory 64');
    expect(await refusal({ ulimit: [{ nofile: 'many' }] })).toContain('ulimit nofile: "many"');
  });

  test('few capabilities, more within what is allowed, all taken away; no new privileges; a read-only root; further groups', async () => {
    const bounding = 'grep -E "CapBnd|NoNewPrivs" /proc/self/status';
    expect(await says(bounding, {})).toBe('CapBnd:\t00000000000004fb\nNoNewPrivs:\t1'.replace('4fb', '4fb'));
    expect(await says('grep CapBnd /proc/self/status', { cap_add: ['sys_chroot'], cap_drop: ['all'] })).toMatch(
      /0000000000040000$/,
    );
    expect(await refusal({ cap_add: ['sys_admin'] })).toContain('does not allow the following capabilities: sys_admin');
    expect(await says('grep NoNewPrivs /proc/self/status', { security_opt: ['no-new-privileges=false'] })).toMatch(
      /0$/,
    );
    expect(await says('touch /x || echo refused; id -G', { readonly_rootfs: true, group_add: ['1234'] })).toBe(
      'refused\n0 1234',
    );
    const nomad = scratch.driver({ capabilities: 'nomad' }).engine;
    expect(await says('grep CapBnd /proc/self/status', {}, nomad)).toMatch(/00000000a80405fb$|00000000a80425fb$/);
    const lax = scratch.driver({ no_new_privileges: false }).engine;
    expect(await says('grep NoNewPrivs /proc/self/status', {}, lax)).toMatch(/0$/);
  });

  test('a seccomp profile of its own, from the task directory', async () => {
    const of = await scratch.task(
      shell('mkdir /tmp/d || echo refused', { security_opt: ['seccomp=local/profile.json'] }),
    );
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    };
    await writeFile(join(of.directories.local, 'profile.json'), JSON.stringify(profile));
    expect((await scratch.run(plain, of)).stdout).toBe('refused\n');
    expect(await refusal({ security_opt: ['seccomp=local/none.json'] }, plain, {}, 'not told')).toContain(
      'seccomp profile "local/none.json"',
    );
  });

  test('labels, extra_labels, logging, init, interactive, healthchecks, extra_hosts, dns', async () => {
    const { Config, HostConfig } = await inspected(
      {
        labels: [{ colour: 'green' }],
        init: true,
        interactive: true,
        healthchecks: [{ disable: true }],
        dns_servers: ['10.9.9.9'],
        dns_search_domains: ['example.test'],
        dns_options: ['ndots:3'],
        extra_hosts: ['other:10.1.2.3'],
      },
      open,
    );
    expect(Config['Labels']).toMatchObject({
      colour: 'green',
      'com.hashicorp.nomad.task_name': 'main',
      'com.hashicorp.nomad.task_group_name': 'group',
      'com.hashicorp.nomad.namespace': 'default',
      'com.hashicorp.nomad.alloc_id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(Config['Labels']).not.toHaveProperty(['com.hashicorp.nomad.job_id']);
    expect(Config).toMatchObject({ OpenStdin: true, Healthcheck: { Test: ['NONE'] } });
    expect(HostConfig).toMatchObject({ Init: true, LogConfig: { Type: 'local', Config: { 'max-size': '1m' } } });
    expect(HostConfig).toMatchObject({
      Dns: ['10.9.9.9'],
      DnsSearch: ['example.test'],
      DnsOptions: ['ndots:3'],
      PidsLimit: 300,
    });
    const own = await inspected({ logging: [{ driver: 'json-file', config: [{ 'max-file': '3' }] }] });
    expect(own.HostConfig['LogConfig']).toEqual({ Type: 'json-file', Config: { 'max-file': '3' } });
    expect((await inspected({})).HostConfig['LogConfig']).toEqual({
      Type: 'json-file',
      Config: { 'max-file': '2', 'max-size': '2m' },
    });
    expect(await says('grep other /etc/hosts', { extra_hosts: ['other:10.1.2.3'] })).toMatch(/^10\.1\.2\.3\s+other$/);
  });

  test('network_mode none and host, a network of its own with alias, address and mac_address', async () => {
    expect(await says('ls /sys/class/net', { network_mode: 'none' })).toBe('lo');
    expect(await says('ls /sys/class/net', {}, plain, { network: { mode: 'none', path: '', labels: {} } })).toBe('lo');
    expect(await says('ls /sys/class/net', { network_mode: 'host' })).toContain('docker0');
    const body = { Name: 'own', IPAM: { Config: [{ Subnet: '172.31.99.0/24' }] } };
    await scratch.daemon.client.json('POST', '/networks/create', { body, signal: never });
    const config = {
      network_mode: 'own',
      network_aliases: ['friend'],
      ipv4_address: '172.31.99.7',
      mac_address: '02:42:ac:1f:63:07',
    };
    const script =
      'ip -4 -o addr show eth0 | tr -s " " | cut -d" " -f4; cat /sys/class/net/eth0/address; nslookup friend 127.0.0.11 | grep -c 172.31.99.7';
    expect(await says(script, config)).toBe('172.31.99.7/24\n02:42:ac:1f:63:07\n1');
    expect(await refusal({ network_aliases: ['x'] })).toContain('need a network of their own');
  });

  test('an address of IPv6, which is where services find it if that is asked for', async () => {
    const config = [{ Subnet: '172.31.98.0/24' }, { Subnet: 'fd00:98::/64' }];
    const body = { Name: 'six', EnableIPv6: true, IPAM: { Config: config } };
    await scratch.daemon.client.json('POST', '/networks/create', { body, signal: never });
    const script = 'cat /proc/net/if_inet6 | grep -c fd0000980000000000000000000000..7; sleep 60';
    const six = { network_mode: 'six', ipv6_address: 'fd00:98::17', advertise_ipv6_address: true };
    const of = await scratch.task(shell(script.replace('..7', '17'), six));
    expect((await plain.start(of, never)).network).toMatchObject({ ip: 'fd00:98::17', autoAdvertise: true });
    await expect.poll(() => outputOf(of), { timeout: 10_000 }).toBe('1\n');
    await plain.destroy(of.id, { force: true }, never);
    const four = await scratch.task(shell('sleep 60', { advertise_ipv6_address: true }));
    await expect(plain.start(four, never)).rejects.toThrow('the container has no address of IPv6');
  });

  test('a network or runtime that the engine does not know is foretold, and refused before an image is fetched', async () => {
    const image = 'nowhere.invalid/absent:1';
    const network = await refusal({ image, network_mode: 'absent' });
    expect(network).toBe('the engine knows no network "absent"');
    const runtimes = scratch.driver({ allow_runtimes: ['shiny'] }).engine;
    expect(await refusal({ image, runtime: 'shiny' }, runtimes)).toMatch(/^the engine knows no runtime "shiny", only /);
    // control: nothing is foretold of an image that has to be fetched
    expect(await refusal({ image }, plain, {}, 'not told')).toContain(image);
  });

  test('options of the storage driver reach it, and those it has not are refused by it', async () => {
    expect(await refusal({ storage_opt: [{ size: '120G' }] }, plain, {}, 'not told')).toMatch(
      /storage-opt|quota|size/i,
    );
    expect(await refusal({ container_exists_attempts: 1 })).toBe('it was started');
  });

  test('tasks of a group share the network that was made for it, through one container that goes with the last of them', async () => {
    // no image is pulled for it
    const by = scratch.driver({ infra_image: 'nobody.invalid/none:1', infra_image_pull_timeout: '1s' }).engine;
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    try {
      const network = { mode: 'group', path: `/proc/${holder.pid}/ns/net`, labels: {} } as const;
      const script = 'readlink /proc/self/ns/net; trap "exit 0" TERM; sleep 60 & wait';
      const [one, two] = [
        await scratch.task(shell(script, { hostname: 'x', extra_hosts: ['a:1.2.3.4'] }), { network }),
        await scratch.task(shell(script, { network_mode: 'host' }), { network, name: 'other' }),
      ];
      const both = [one, { ...two, allocId: one.allocId, id: two.id.replace(two.allocId, one.allocId) }];
      await Promise.all(both.map((of) => by.start(of, never)));
      const standing = async () => {
        const rows = await scratch.daemon.client.json('GET', '/containers/json', {
          query: { all: 'true' },
          signal: never,
        });
        return JSON.stringify(rows).split(`"/drover_network_${one.allocId}"`).length - 1;
      };
      expect(await standing()).toBe(1);
      const wanted = await readlink(network.path);
      for (const of of both) await expect.poll(() => outputOf(of), { timeout: 10_000 }).toBe(`${wanted}\n`);
      await by.destroy(both[0]!.id, { force: true }, never);
      expect(await standing()).toBe(1);
      await by.destroy(both[1]!.id, { force: true }, never);
      expect(await standing()).toBe(0);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test('ports are published by label, and where the container is reached is told', async () => {
    const port = { label: 'http', value: 23_811, to: 8080, hostIp: '127.0.0.1' };
    const resources = {
      cpuShares: 100,
      cpusetCpus: '',
      memoryMb: 64,
      memoryMaxMb: 0,
      percentTicks: 0.1,
      ports: [port],
    };
    const serve = 'mkdir -p /tmp/w; echo published > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w';
    const of = await scratch.task(shell(serve, { ports: ['http'] }), { resources });
    const started = await plain.start(of, never);
    expect(started.network).toMatchObject({
      ip: expect.stringMatching(/^172\./),
      portMap: { http: 8080 },
      autoAdvertise: false,
    });
    const fetch = [
      process.execPath,
      '-e',
      'fetch("http://127.0.0.1:23811/").then((r) => r.text()).then((t) => process.stdout.write(t))',
    ];
    let page = '';
    for (let attempt = 0; attempt < 20 && page === ''; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      page = await scratch.daemon.inNetwork(...fetch).catch(() => '');
    }
    await plain.destroy(of.id, { force: true }, never);
    expect(page).toBe('published\n');
    const { HostConfig } = await inspected({ port_map: [{ http: 9090 }] }, plain, { resources });
    expect(HostConfig['PortBindings']).toEqual({
      '9090/tcp': [{ HostIp: '127.0.0.1', HostPort: '23811' }],
      '9090/udp': [{ HostIp: '127.0.0.1', HostPort: '23811' }],
    });
    expect(await refusal({ ports: ['none'] })).toContain('port "none" is not among');
  });

  test('volumes of the task itself; others and devices only where the operator allows them', async () => {
    const of = await scratch.task(
      shell('cat /data/x; touch /data/y || echo refused', { volumes: ['local/d:/data:ro'] }),
    );
    await mkdir(join(of.directories.local, 'd'));
    await writeFile(join(of.directories.local, 'd', 'x'), 'mine\n');
    expect((await scratch.run(plain, of)).stdout).toBe('mine\nrefused\n');
    expect(await refusal({ volumes: ['/etc:/host'] })).toContain('volumes { enabled = true }');
    expect(await refusal({ volumes: ['../../..:/host'] })).toContain('volumes { enabled = true }');
    expect(await refusal({ volume_driver: 'local', volumes: ['v:/v'] })).toContain('volume drivers');
    expect(await refusal({ devices: [{ host_path: '/dev/null' }] })).toContain("the host's devices");
    expect(await says('head -1 /host/passwd', { volumes: ['/etc:/host:ro'] }, open)).toMatch(/^root:/);
    expect(await says('ls /v | wc -l', { volume_driver: 'local', volumes: ['named:/v'] }, open)).toBe('0');
    const devices = [{ host_path: '/dev/loop-control', container_path: '/dev/mine', cgroup_permissions: 'r' }];
    expect(await says('(: < /dev/mine) && echo read; (: > /dev/mine) || echo refused', { devices }, open)).toBe(
      'read\nrefused',
    );
  });

  test('a link in the task directory leads nowhere outside of the allocation; one within it is followed', async () => {
    const of = await scratch.task(shell('cat /data/x', { volumes: ['local/link:/data'] }));
    await symlink('/etc', join(of.directories.local, 'link'));
    await expect(plain.start(of, never)).rejects.toMatchObject({ kind: 'denied' });
    const within = await scratch.task(shell('cat /data/x', { volumes: ['local/link:/data'] }));
    await mkdir(join(within.directories.local, 'real'));
    await writeFile(join(within.directories.local, 'real', 'x'), 'mine\n');
    await symlink('real', join(within.directories.local, 'link'));
    expect((await scratch.run(plain, within)).stdout).toBe('mine\n');
  });

  test('mounts of each type, and volumes of the group', async () => {
    const bound = await scratch.task(
      shell(
        'cat /b/x; mount | grep -c "on /t type tmpfs.*size=4096k"; stat -c %a /t; ls /v; touch /b/y || echo refused',
        {
          mounts: [
            {
              type: 'bind',
              target: '/b',
              source: 'local/d',
              readonly: true,
              bind_options: [{ propagation: 'rprivate' }],
            },
            { type: 'tmpfs', target: '/t', tmpfs_options: [{ size: 4 << 20, mode: 448 }] },
          ],
          mount: [{ target: '/v', source: 'kept', volume_options: [{ no_copy: true, labels: [{ a: 'b' }] }] }],
        },
      ),
      { mounts: [{ taskPath: '/g', hostPath: scratch.host.scratch.root, readOnly: true, propagation: '' }] },
    );
    await mkdir(join(bound.directories.local, 'd'));
    await writeFile(join(bound.directories.local, 'd', 'x'), 'bound\n');
    expect((await scratch.run(plain, bound)).stdout).toBe('bound\n1\n700\nrefused\n');
    const volume = (await scratch.daemon.client.json('GET', '/volumes/kept', { signal: never })) as {
      readonly Labels: unknown;
    };
    expect(volume.Labels).toEqual({ a: 'b' });
    expect(await refusal({ mounts: [{ type: 'bind', target: '/b', source: '/etc' }] })).toContain(
      'volumes { enabled = true }',
    );
    const sly = { driver_config: [{ name: 'local', options: [{ type: 'none', o: 'bind', device: '/etc' }] }] };
    expect(await refusal({ mounts: [{ target: '/b', source: 'sly', volume_options: [sly] }] })).toContain(
      'options of a volume driver',
    );
    expect(await refusal({ mounts: [{ type: 'nfs', target: '/b' }] })).toContain('not "nfs"');
  });

  test('mounts by either name, options of volume drivers among them, where the operator allows those', async () => {
    const config = {
      mounts: [
        {
          target: '/one',
          source: 'one',
          volume_options: [
            {
              no_copy: true,
              labels: [{ a: 'b' }],
              driver_config: [{ name: 'local', options: [{ type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }] }],
            },
          ],
        },
      ],
      mount: [
        { type: 'bind', target: '/etc2', source: '/etc', readonly: true, bind_options: [{ propagation: 'rprivate' }] },
        { type: 'tmpfs', target: '/t', tmpfs_options: [{ size: 4 << 20, mode: 448 }] },
        {
          target: '/two',
          source: 'two',
          volume_options: [
            { driver_config: [{ name: 'local', options: [{ type: 'tmpfs', device: 'tmpfs', o: 'size=2m' }] }] },
          ],
        },
      ],
    };
    const script =
      'for p in one two t; do mount | grep "on /$p type tmpfs" | grep -o "size=[0-9]*k"; done; stat -c %a /t; head -c 5 /etc2/passwd; echo; touch /etc2/x 2>/dev/null || echo refused';
    expect(await says(script, config, open)).toBe('size=1024k\nsize=2048k\nsize=4096k\n700\nroot:\nrefused');
  });

  test("the host's namespaces, privileges and runtimes only where the operator allows them", async () => {
    for (const mode of ['pid_mode', 'ipc_mode', 'uts_mode', 'userns_mode'])
      expect(await refusal({ [mode]: 'host' })).toContain('allowed_modes {');
    expect(await refusal({ privileged: true })).toContain('allow_privileged = true');
    expect(await refusal({ cgroupns: 'host' })).toContain('allow_privileged = true');
    expect(await refusal({ cgroupns: 'mine' })).toContain('cgroupns must be');
    expect(await refusal({ runtime: 'runsc' })).toContain('allow_runtimes = ["runsc"]');
    expect(await refusal({ pids_limit: 400 }, open)).toContain("more than the operator's 300");
    for (const limit of ['pids_limit', 'shm_size', 'memory_hard_limit'])
      expect(await refusal({ [limit]: -1 }, open)).toContain(`${limit} is not -1`);
    expect(await refusal({ oom_score_adj: -500 })).toContain('oom_score_adj = -500: not allowed on this node');
    const some = scratch.driver({ allowed_modes: [{ pid: ['ho*'], ipc: ['private'] }] }).engine;
    expect(await says('test -d /proc/2 && echo sees the host', { pid_mode: 'host' }, some)).toBe('sees the host');
    expect((await inspected({ ipc_mode: 'private' }, some)).HostConfig['IpcMode']).toBe('private');
    expect(await refusal({ ipc_mode: 'host' }, some)).toContain('allowed_modes');
    // a host that lacks capabilities itself cannot give them, and its runtime says so
    const privileged = await refusal({ privileged: true, runtime: 'runc' }, open, {}, 'not told');
    expect(privileged).toMatch(/it was started|unable to apply caps/);
    const host = (await inspected({ uts_mode: 'host', cgroupns: 'private' }, open)).HostConfig;
    expect(host).toMatchObject({ UTSMode: 'host', CgroupnsMode: 'private' });
    expect(await refusal({ cap_add: ['nonsense'] }, open)).toContain('"nonsense" is no capability');
  });

  test('an unknown option points at the nearest name', () => {
    const decoded = scratch.driver().decodeConfig({ image: 'x', comand: 'sh', mounts: [{ taget: '/x' }] });
    expect(decoded).toMatchObject({ ok: false });
    expect(String(decoded.ok ? '' : decoded.problems.join('\n'))).toMatch(
      /"taget" inside "mounts".*"target"[\s\S]*"comand".*Did you mean "command"\?/,
    );
  });
});

describe.skipIf(lackingForDaemon.length > 0)('isolation of a container', () => {
  test('is what was seen from the host, line by line', async () => {
    const { isolation } = await ran(shell('sleep 1', { cap_drop: ['all'], network_mode: 'none' }), plain, {
      user: '65534',
      isolationFloor: 'sandbox',
    });
    const missing = isolation.mechanisms.filter((each) => each.state !== 'verified').map((each) => each.name);
    expect(isolation).toMatchObject({ wanted: 'container', floor: 'sandbox', rung: 'sandbox' });
    expect(isolation.runtime).toMatch(/^docker \d+.* \(runc\)$/);
    // the daemon maps no users: the ids are the image's own
    expect(missing).toEqual(['user_namespace']);
  });

  test('a task as root does not pass for more than it is, and below its floor it is not left running', async () => {
    const as = { isolationFloor: 'process' } as const;
    const of = await scratch.task(shell('sleep 60'), as);
    await expect(plain.start(of, never)).rejects.toThrow('isolation floor "process" is not reached');
    const rows = await scratch.daemon.client.json('GET', '/containers/json', { query: { all: 'true' }, signal: never });
    expect(JSON.stringify(rows)).not.toContain(of.allocId);
    const { isolation } = await ran(shell('sleep 1'), plain, { ...as, user: 'nobody' });
    expect(isolation).toMatchObject({ rung: 'process', floor: 'process' });
  });
});
