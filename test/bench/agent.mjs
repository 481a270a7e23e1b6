/** A built agent of its own for measurements, and what /proc says about it. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const drover = join(root, 'bin/drover.js');
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** What has a `dispose` that is called when the measurement is interrupted, the last one first. */
export const live = new Set();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    for (const each of [...live].reverse()) await each.dispose();
    process.exit(1);
  });
const cgroupParent = `drover-bench-${process.pid}`;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Agent {
  constructor(directory, port, args) {
    Object.assign(this, { directory, port, args, address: `http://127.0.0.1:${port}` });
  }

  /** `config`: merged over the settings of its file. `user`: of its directory; `wrap`: the command line that starts its own. */
  static async start(args = ['-server', '-client'], config = {}, { user, wrap = (command) => command } = {}) {
    const directory = mkdtempSync(join(tmpdir(), 'drover-bench-'));
    mkdirSync(join(directory, 'data'));
    chmodSync(directory, 0o755);
    if (user !== undefined) for (const each of ['.', 'data']) chownSync(join(directory, each), user, user);
    const agent = new Agent(directory, await freePort(), args);
    live.add(agent);
    Object.assign(agent, { config, wrap });
    await agent.again();
    return agent;
  }

  /** Starts it (again) on its directory; resolves when it answers. */
  async again(args = this.args) {
    const config = {
      name: 'bench',
      data_dir: join(this.directory, 'data'),
      log_level: 'WARN',
      ports: { http: this.port },
      limits: { http_max_conns_per_client: 1000 },
      plugin: { raw_exec: { config: { enabled: true } } },
      ...this.config,
    };
    config.client = { cgroup_parent: cgroupParent, gc_max_allocs: 100_000, ...this.client, ...this.config.client };
    const file = join(this.directory, 'agent.json');
    writeFileSync(file, JSON.stringify(config));
    const output = openSync(join(this.directory, 'agent.log'), 'a');
    const [program, ...words] = this.wrap([process.execPath, drover, 'agent', ...args, '-config', file]);
    this.child = spawn(program, words, {
      stdio: ['ignore', output, output],
      env: { PATH: process.env.PATH, HOME: this.directory },
      detached: true,
    });
    closeSync(output);
    this.exited = new Promise((resolve) => this.child.on('exit', resolve));
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(readFileSync(join(this.directory, 'agent.log'), 'utf8'));
      try {
        await this.get(args.includes('-client') ? '/v1/agent/health' : '/v1/status/leader');
        if (!args.includes('-client') || (await this.get('/v1/nodes')).some((node) => node.Status === 'ready')) return weighTasks();
      } catch {
        // not listening yet
      }
      await sleep(10);
    }
  }

  async get(path) {
    const answer = await fetch(this.address + path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async put(path, body) {
    const answer = await fetch(this.address + path, { method: 'PUT', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  register(id, more) {
    return this.put('/v1/jobs', { Job: job(id, more) });
  }

  async untilDriver(name) {
    while ((await this.get('/v1/nodes'))[0]?.Drivers?.[name]?.Healthy !== true) await sleep(50);
  }

  runningTasks = async () => Number((await this.get('/v1/agent/self')).stats.client.num_allocations);

  async untilRunning(count) {
    // seldom: on two cores whoever asks takes from what is measured
    while ((await this.runningTasks()) !== count) await sleep(50);
  }

  async stopJobs() {
    for (const { ID } of await this.get('/v1/jobs'))
      await fetch(`${this.address}/v1/job/${ID}?purge=true`, { method: 'DELETE' });
    for (let tries = 0; tries < 3000 && (await this.runningTasks()) > 0; tries++) await sleep(20);
  }

  async kill(signal = 'SIGKILL') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.exited;
  }

  async dispose() {
    live.delete(this);
    if (this.args.includes('-client')) await this.stopJobs().catch(() => {});
    await this.kill('SIGINT');
    endHolders(this.directory);
    removeCgroups();
    for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n').reverse()) {
      const path = line.split(' ')[1] ?? '';
      if (path.startsWith(`${this.directory}/`)) execFileSync('umount', [path]);
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function job(
  id,
  { type = 'service', driver = 'raw_exec', count = 1, cpu = 1, memory = 10, command = 'sleep', args = ['100000'], config = { command: `/bin/${command}`, args }, network, volume } = {},
) {
  const task = {
    Name: 't',
    Driver: driver,
    Config: config,
    Resources: { CPU: cpu, MemoryMB: memory },
    LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1 },
    KillTimeout: 1e9,
    ...(volume === undefined ? {} : { VolumeMounts: [{ Volume: volume, Destination: `/${volume}`, ReadOnly: true }] }),
  };
  const volumes = volume === undefined ? {} : { Volumes: { [volume]: { Name: volume, Type: 'host', Source: volume, ReadOnly: true } } };
  const group = { Name: 'g', Count: count, EphemeralDisk: { SizeMB: 10 }, ...(network === undefined ? {} : { Networks: [{ Mode: network }] }), ...volumes, RestartPolicy: { Attempts: 0, Mode: 'fail', Interval: 60e9 }, Tasks: [task] };
  return { ID: id, Name: id, Type: type, Datacenters: ['*'], TaskGroups: [group] };
}

/** Seconds of processor time of a process and of its children. */
export function cpuSeconds(pid) {
  const pids = [pid, ...childrenOf(pid)];
  return pids.reduce((sum, each) => {
    const fields = statFields(each);
    // with those of its children that have ended meanwhile: a child that goes takes nothing away
    return sum + fields.slice(11, 15).reduce((ticks, each) => ticks + Number(each), 0) / 100;
  }, 0);
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

function statFields(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Kilobytes. */
export function memoryKb(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rss: field('Rss'), pss: field('Pss') };
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}


/** Supervisors that an agent which was killed left: they hold files below its directory. */
function endHolders(directory) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const held = attempt(() => readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${directory}/`)));
    if (held && Number(pid) !== process.pid) attempt(() => process.kill(Number(pid), 'SIGKILL'));
  }
}

/** A measurement at a priority above others' (`nice`): tasks are in groups of their own, which get the weight that it means. */
function weighTasks() {
  const times = 1.25 ** -getPriority();
  if (times <= 1) return;
  const v1 = join('/sys/fs/cgroup/cpu', cgroupParent, 'cpu.shares');
  const v2 = join('/sys/fs/cgroup', cgroupParent, 'cpu.weight');
  for (const [file, usual, most] of [[v1, 1024, 262_144], [v2, 100, 10_000]])
    if (existsSync(file)) writeFileSync(file, String(Math.round(Math.min(most, usual * times))));
}

function removeCgroups() {
  for (const name of existsSync('/sys/fs/cgroup') ? ['.', ...readdirSync('/sys/fs/cgroup')] : []) removeTree(join('/sys/fs/cgroup', name, cgroupParent));
}

function removeTree(path) {
  const inner = attempt(() => readdirSync(path, { withFileTypes: true })) ?? [];
  for (const entry of inner) if (entry.isDirectory()) removeTree(join(path, entry.name));
  attempt(() => rmdirSync(path));
}

function attempt(work) {
  try {
    return work();
  } catch {
    return undefined; // gone meanwhile
  }
}
