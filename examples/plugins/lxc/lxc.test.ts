// The package as its author ships it: built into one executable, put into plugin_dir, used by an agent; the containers are lxc's own.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobExplanation } from '../../../src/model/job-explanation.ts';
import { type AgentProcess, drover, eventually, startAgent } from '../../../test/agent-process.ts';
import { runCli } from '../../../test/e2e/cli.ts';

const lacking =
  process.getuid?.() !== 0
    ? 'not root'
    : spawnSync('lxc-execute', ['--version']).status !== 0
      ? 'lxc is not installed'
      : '';
const folder = mkdtempSync(join(tmpdir(), 'drover-lxc-'));
const plugins = join(folder, 'plugins');
const program = join(plugins, 'nomad-driver-lxc');
const containers = join(folder, 'containers');
const idFirst = 1_900_000_000;
/** A program as lxc-create calls it: `--path=… --name=… --rootfs=…`, then what the task gave. */
const ownTemplate = join(folder, 'own-template');
const templateText = `#!/bin/sh
for word; do case "$word" in --rootfs=*) root="\${word#*=}";; --path=*) path="\${word#*=}";; --fail) exit 1;; esac; done
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" && cp /bin/busybox "$root/bin/" && echo "$*" > "$root/words"
`;
let agent: AgentProcess;

const busybox = 'template = "busybox"\nnetwork_mode = "none"\ncommand = "/bin/sh"\n';
const script = (text: string): string => `${busybox}args = ["-c", ${JSON.stringify(text).replaceAll('${', '$${')}]`;

function jobFile(name: string, config: string, more = ''): string {
  const path = join(folder, `${name}.nomad.hcl`);
  writeFileSync(
    path,
    `job "${name}" {
      type = "batch"
      group "g" {
        restart {
          attempts = 0
          mode     = "fail"
        }
        reschedule {
          attempts  = 0
          unlimited = false
        }
        task "t" {
          driver = "lxc"
          config {
            ${config}
          }
          resources {
            cpu    = 20
            memory = 64
          }
          ${more}
        }
      }
    }`,
  );
  return path;
}

async function submit(name: string, config: string, more = ''): Promise<void> {
  const { code, stderr } = await runCli(agent, ['job', 'run', '-detach', jobFile(name, config, more)]);
  expect(code, stderr).toBe(0);
}

async function becomes(name: string, state: string) {
  return eventually(async () => {
    const { value } = await agent.client.jobs.allocations(name);
    const row = value[0];
    if (row?.ClientStatus !== state)
      throw new Error(`${name} is ${row?.ClientStatus}: ${JSON.stringify(row?.TaskStates)}`);
    return row;
  }, 60_000);
}

async function says(id: string, text: string | RegExp, stream = '-stdout'): Promise<string> {
  return eventually(async () => {
    const { stdout } = await runCli(agent, ['alloc', 'logs', stream, id, 't']);
    expect(stdout).toMatch(text);
    return stdout;
  });
}

const inside = (id: string, ...words: string[]) => runCli(agent, ['alloc', 'exec', '-task', 't', id, ...words]);

/** As the plugin's own process says before a start. */
async function foretold(name: string, config: string, more = '') {
  const { stdout, stderr } = await runCli(agent, ['explain', '-json', jobFile(name, config, more)]);
  expect(stderr).toBe('');
  const [node] = (JSON.parse(stdout) as JobExplanation).Groups[0]!.Nodes;
  expect([node!.Reasons, node!.Tasks[0]!.NotAsked]).toEqual([[], '']);
  return node!.Tasks[0]!.Refusals;
}

/** What it is refused for, which was foretold. */
async function refused(name: string, config: string): Promise<string> {
  const [before = 'nothing was foretold'] = await foretold(name, config);
  await submit(name, config);
  const events = await eventsOf(name);
  expect(events).toContain(JSON.stringify(before).slice(1, -1));
  return events;
}

async function eventsOf(name: string): Promise<string> {
  const row = await becomes(name, 'failed');
  return JSON.stringify(row.TaskStates?.['t']?.Events);
}

/** The pid on the host of the first process that was started with this variable: what that starts has it too, and may have a lower number. */
function pidWith(mark: string): number {
  const found = readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)) return [];
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      return [{ pid: Number(pid), begun: Number(fields[19]) }];
    } catch {
      // it has ended
      return [];
    }
  });
  const [first] = found.sort((one, other) => one.begun - other.begun);
  if (first === undefined) throw new Error(`no process has ${mark}`);
  return first.pid;
}

describe.skipIf(lacking !== '')('lxc, out of plugin_dir,', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    mkdirSync(plugins);
    writeFileSync(ownTemplate, templateText, { mode: 0o755 });
    mkdirSync(join(folder, 'images'), { recursive: true });
    process.getBuiltinModule('node:fs').chmodSync(folder, 0o755);
    const built = spawnSync(drover, ['driver', 'build', '-o', program, join(import.meta.dirname, 'driver.js')], {
      encoding: 'utf8',
    });
    expect(built.stderr).toBe('');
    const plugin = {
      args: [join(folder, 'state')],
      config: {
        lxc_path: containers,
        id_first: idFirst,
        pids_limit: 100,
        rootfs_paths: [join(folder, 'images')],
        templates: ['busybox', ownTemplate],
      },
    };
    agent = await startAgent({ config: { plugin_dir: plugins, plugin: { 'nomad-driver-lxc': plugin } } });
    await eventually(async () => {
      const { value: nodes } = await agent.client.nodes.list();
      const { Drivers, Attributes } = (await agent.client.nodes.read(nodes[0]!.ID)).value;
      expect(Drivers?.['lxc']).toMatchObject({ Healthy: true });
      expect(Attributes?.['driver.lxc.version']).toMatch(/^\d/);
    });
  }, 120_000);
  afterAll(async () => {
    if (agent === undefined) return;
    const { value: jobs } = await agent.client.jobs.list();
    for (const { ID } of jobs) await agent.client.jobs.deregister(ID, { purge: true });
    const kept = (name: string): string[] => (existsSync(name) ? readdirSync(name) : []);
    // while the agent lives: one that is ended on the way finishes when it starts again
    await eventually(async () => {
      await agent.client.agent.collectGarbage();
      const left = kept(containers).filter((name) => !name.startsWith('.'));
      expect({ left, ranges: kept(join(containers, '.ids')) }).toEqual({ left: [], ranges: [] });
    });
    await agent.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test('the example job runs: ids mapped, its directories there, its output kept', async () => {
    const example = join(import.meta.dirname, 'lxc.nomad.hcl');
    expect(await runCli(agent, ['job', 'run', example])).toMatchObject({ code: 0, stderr: '' });
    const row = await becomes('lxc', 'complete');
    const { stdout } = await runCli(agent, ['alloc', 'logs', row.ID, 'greet']);
    expect(stdout).toMatch(/^Hello from greet.*, as 0\n\s+0\s+\d{10}\s+65536\n\/alloc \/local \/secrets\n$/);
  });

  test('exit codes are those of the command, also where a signal ended it', async () => {
    await submit('seven', script('echo to stderr >&2; exit 7'));
    expect(await eventsOf('seven')).toContain('Exit Code: 7');
    const [row] = (await agent.client.jobs.allocations('seven')).value;
    await says(row!.ID, /^to stderr$/m, '-stderr');
    await submit('killed', script('kill -SEGV $$'));
    expect(await eventsOf('killed')).toContain('Exit Code: 139');
  });

  test("root of a container is nobody on the host, another nobody in the next; what it holds there is its container's", async () => {
    const canary = join(folder, 'canary');
    writeFileSync(canary, 'secret', { mode: 0o600 });
    const volume = `volumes = ["${folder}:host:ro"]`;
    // the control: the same file, readable to all, is read through the same volume
    writeFileSync(join(folder, 'open'), 'readable', { mode: 0o644 });
    const look = 'cat /host/open; cat /host/canary; echo x > /proc/sys/kernel/core_pattern; echo done; sleep 300';
    for (const name of ['first', 'second'])
      await submit(name, `${script(look)}\n${volume}`, `env { LXC_MARK = "mark-${name}" }`);
    const uids: number[] = [];
    for (const name of ['first', 'second']) {
      const row = await becomes(name, 'running');
      expect(await says(row.ID, /done/)).toBe('readabledone\n');
      await says(
        row.ID,
        /canary.*Permission denied[\s\S]*core_pattern: (Permission denied|Read-only file system)/,
        '-stderr',
      );
      const status = readFileSync(`/proc/${pidWith(`mark-${name}`)}/status`, 'utf8');
      uids.push(Number(/Uid:\s+(\d+)/.exec(status)![1]));
      expect(status).toMatch(/NoNewPrivs:\s+1/);
      expect(status).toMatch(/Seccomp:\s+2/);
    }
    expect(uids.every((uid) => uid >= idFirst && (uid - idFirst) % 65536 === 0)).toBe(true);
    expect(uids[0]).not.toBe(uids[1]);
  });

  test('a running task has statistics, takes commands with its own variables, heeds signals, and stops', async () => {
    const loop = 'trap "echo hup" HUP; trap "echo int; exit 3" INT; echo up; while :; do sleep 0.1; done';
    await submit('loop', script(loop), 'env { COLOUR = "a b \\"c" }');
    const row = await becomes('loop', 'running');
    await says(row.ID, /up/);
    const ran = await inside(row.ID, '/bin/sh', '-c', 'echo "$COLOUR $NOMAD_TASK_NAME $(hostname) $(id -u)"; exit 4');
    expect(ran).toMatchObject({ stdout: expect.stringMatching(/^a b "c t t-\S+ 0\n$/), code: 4 });
    await eventually(async () => {
      const { stdout } = await runCli(agent, ['alloc', 'status', '-stats', row.ID]);
      expect(stdout).toMatch(/\d[\d.]* [KM]iB\/64 MiB/);
    });
    await runCli(agent, ['alloc', 'signal', '-s', 'SIGHUP', row.ID]);
    await says(row.ID, /hup/);
    await runCli(agent, ['job', 'stop', '-detach', 'loop']);
    await says(row.ID, /int/);
    await becomes('loop', 'complete');
  });

  test('makes no more processes than the operator allows', async () => {
    await submit('forks', script('i=0; while [ $i -lt 150 ]; do sleep 3 & i=$((i+1)); done; echo all; wait'));
    const row = await eventually(async () => (await agent.client.jobs.allocations('forks')).value[0]!);
    await says(row.ID, /fork/, '-stderr');
  });

  test('a user is one of the container, also of commands that come later', async () => {
    await submit('user', script('id -u; sleep 300'), 'user = "1000:100"');
    const row = await becomes('user', 'running');
    await says(row.ID, /^1000$/m);
    expect(await inside(row.ID, '/bin/sh', '-c', 'echo "$(id -u):$(id -g)"')).toMatchObject({ stdout: '1000:100\n' });
  });

  test('an agent that was killed finds its container again, and the code it ended with meanwhile', async () => {
    await submit(
      'outlives',
      script('echo up; while [ ! -e /local/end ]; do sleep 0.1; done; exit 5'),
      'env { LXC_MARK = "mark-outlives" }',
    );
    const row = await becomes('outlives', 'running');
    await says(row.ID, /up/);
    const pid = pidWith('mark-outlives');
    await agent.crash();
    agent = await agent.restart();
    await becomes('outlives', 'running');
    expect(pidWith('mark-outlives')).toBe(pid);
    expect(await inside(row.ID, '/bin/touch', '/local/end')).toMatchObject({ code: 0 });
    expect(await eventsOf('outlives')).toContain('Exit Code: 5');
  });

  test("without a command it is the root file system's init; its end is asked for in its way", async () => {
    await submit('init', 'template = "busybox"\nnetwork_mode = "none"');
    const row = await becomes('init', 'running');
    await eventually(async () => {
      expect((await inside(row.ID, '/bin/cat', '/proc/1/comm')).stdout).toMatch(/^(init|busybox)\n$/);
    });
    await runCli(agent, ['job', 'stop', '-detach', 'init']);
    await becomes('init', 'complete');
  });

  test('a root file system of a directory is copied: the operator allows where it comes from', async () => {
    const image = join(folder, 'images/tiny');
    for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(join(image, name), { recursive: true });
    cpSync('/bin/busybox', join(image, 'bin/busybox'));
    const from = (path: string, args: string) =>
      `rootfs = "${path}"\nnetwork_mode = "none"\ncommand = "/bin/busybox"\nargs = ${args}`;
    await submit('tiny', from(image, '["sh", "-c", "echo changed > /here; /bin/busybox ls -ln /here"]'));
    const row = await becomes('tiny', 'complete');
    await says(row.ID, /\b0\s+0\s+8\s/);
    expect(existsSync(join(image, 'here'))).toBe(false);
    expect(await refused('sly', from('/etc', '["true"]'))).toContain(
      'is neither in the task directory nor in rootfs_paths',
    );
  });

  test('what the operator does not allow is refused with its name', async () => {
    const template = 'template = "/bin/sh"\nnetwork_mode = "none"';
    expect(await refused('template', template)).toContain('is not among the operator');
    expect(await refused('privileged', `${script('true')}\nprivileged = true`)).toContain('allow_privileged is false');
    expect(await refused('bridge', 'template = "busybox"')).toMatch(/this node has no lxcbr0/);
    expect(await refused('neither', 'network_mode = "none"')).toContain('one of template and rootfs is required');
    expect(await refused('outside', `${script('true')}\nvolumes = ["../x:x"]`)).toContain('leads out by');
  });

  test('(control) what runs is not foretold to be refused', async () => {
    expect(await foretold('runs', script('true'))).toEqual([]);
    await submit('runs', script('true'));
    await becomes('runs', 'complete');
  });

  test('a template is told what the task says; a template of the operator that fails leaves nothing', async () => {
    const options = `
      template        = "${ownTemplate}"
      template_args   = ["--extra", "a b"]
      distro          = "debian"
      release         = "bookworm"
      arch            = "amd64"
      image_variant   = "default"
      image_server    = "images.example"
      gpg_key_id      = "0x1"
      gpg_key_server  = "keys.example"
      disable_gpg     = true
      flush_cache     = true
      force_cache     = true
      network_mode    = "none"
      command         = "/bin/busybox"
      args            = ["cat", "/words"]
      log_level       = "debug"
      verbosity       = "verbose"`;
    await submit('words', options);
    const row = await becomes('words', 'complete');
    const said = await says(row.ID, /--extra/);
    expect(said).toContain(
      '--dist debian --release bookworm --arch amd64 --variant default --server images.example --keyid 0x1 --keyserver keys.example --no-validate --flush-cache --force-cache --extra a b',
    );
    await submit('broken', `template = "${ownTemplate}"\ntemplate_args = ["--fail"]\nnetwork_mode = "none"`);
    expect(await eventsOf('broken')).toContain('lxc-create');
  });

  test("the host's network is there where it is asked for", async () => {
    await submit(
      'host',
      `${script('ls /sys; cat /proc/net/dev | grep -c :')}\nnetwork_mode = "host"`.replace(
        'network_mode = "none"\n',
        '',
      ),
    );
    const row = await becomes('host', 'complete');
    await says(row.ID, /^[1-9]\d*$/m);
  });
});

describe.skipIf(lacking !== '')('lxc of another operator', { timeout: 120_000 }, () => {
  const config = (): Record<string, unknown> => ({
    lxc_path: join(folder, 'others'),
    network_mode: 'none',
    bridge: 'br-none',
    volumes_enabled: false,
    allow_privileged: true,
    id_ranges: 1,
    gc: [{ container: false }],
    default_config: join(folder, 'default.conf'),
  });
  beforeAll(async () => {
    mkdirSync(plugins, { recursive: true });
    process.getBuiltinModule('node:fs').chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'default.conf'), 'lxc.uts.name = named-by-operator\n');
    spawnSync(drover, ['driver', 'build', '-o', program, join(import.meta.dirname, 'driver.js')]);
    const plugin = { args: [join(folder, 'state')], config: config() };
    agent = await startAgent({ config: { plugin_dir: plugins, plugin: { 'nomad-driver-lxc': plugin } } });
  }, 120_000);
  afterAll(async () => {
    await agent?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test('no volumes of the host, a privileged task, one range of ids, containers that stay', async () => {
    const said = script('hostname; cat /proc/self/uid_map').replace('network_mode = "none"\n', '');
    await submit('volume', `${said}\nvolumes = ["/etc:etc2"]`);
    expect(await eventsOf('volume')).toContain('volumes_enabled is false');
    await submit('bridged', `${said}\nnetwork_mode = "bridge"`);
    expect(await eventsOf('bridged')).toContain('this node has no br-none');
    await submit('privileged', `${said}\nprivileged = true`);
    const row = await becomes('privileged', 'complete');
    await says(row.ID, /^\S+\n\s+0\s+0\s+4294967295\n$/);
    await runCli(agent, ['job', 'stop', '-purge', '-detach', 'privileged']);
    await submit('one', said);
    await becomes('one', 'complete');
    expect(readdirSync(join(folder, 'others')).some((name) => name.startsWith('t-'))).toBe(true);
  });

  test('a driver that is not enabled is not there', async () => {
    await agent.dispose();
    const plugin = { args: [join(folder, 'state')], config: { ...config(), enabled: false } };
    agent = await startAgent({ config: { plugin_dir: plugins, plugin: { 'nomad-driver-lxc': plugin } } });
    await eventually(async () => {
      const { value: nodes } = await agent.client.nodes.list();
      const { Drivers } = (await agent.client.nodes.read(nodes[0]!.ID)).value;
      expect(Drivers?.['lxc']).toMatchObject({ Detected: false, HealthDescription: 'disabled' });
    });
  });
});

describe.skipIf(lacking !== '')('the conformance suite', () => {
  test('passes against the built executable, killed and held up on the way', { timeout: 600_000 }, () => {
    const one = mkdtempSync(join(tmpdir(), 'drover-lxc-check-'));
    spawnSync(drover, ['driver', 'build', '-o', join(one, 'lxc'), join(import.meta.dirname, 'driver.js')]);
    // the template of lxc runs a program for each of busybox's 300 names, for each of a hundred containers
    const template = join(one, 'template');
    const names = 'for name in sh sleep echo; do ln -s busybox "$root/bin/$name"; done\n';
    writeFileSync(template, templateText + names, { mode: 0o755 });
    const own = readFileSync(join(import.meta.dirname, 'driver.check.hcl'), 'utf8').replaceAll('busybox', template);
    const plugin = `plugin {\n  lxc_path = "${one}/containers"\n  templates = ["${template}"]\n}\n`;
    writeFileSync(join(one, 'lxc.check.hcl'), `${own}\n${plugin}`);
    process.getBuiltinModule('node:fs').chmodSync(one, 0o755);
    const { stdout, stderr, status } = spawnSync(drover, ['driver', 'check', join(one, 'lxc')], { encoding: 'utf8' });
    rmSync(one, { recursive: true, force: true });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });
});
