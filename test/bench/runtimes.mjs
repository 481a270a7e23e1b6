/** Runtimes by hand, with the namespaces and the view that the agent's sandboxes have: what a rung is measured against. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from './agent.mjs';

/** As many at a time as the agent has held starts. */
export const atOnce = 4 * availableParallelism();
const system = ['/bin', '/etc', '/lib', '/lib64', '/sbin', '/usr', '/sys'].filter((path) => existsSync(path));

/** `more`: what it is to see besides the system. */
export const sandboxed = (command, directory = tmpdir(), more = []) => [
  ...['bwrap', '--die-with-parent', '--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup'],
  ...['--bind', directory, '/', ...system.flatMap((path) => ['--ro-bind', path, path])],
  ...['--proc', '/proc', '--dev', '/dev', '--mqueue', '/dev/mqueue', ...more, '--', ...command],
];

export const bwrap = () => sandboxed(['/bin/true']);

export class Runc {
  directory = mkdtempSync(join(tmpdir(), 'drover-bench-runc-'));
  made = 0;
  cleared = 0;

  constructor() {
    const config = {
      ociVersion: '1.0.2',
      process: { terminal: false, user: { uid: 0, gid: 0 }, args: ['/bin/sleep', '100000'], cwd: '/', env: ['PATH=/bin'] },
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
        ...system.map((path) => ({ source: path, destination: path, type: 'bind', options: ['rbind', 'ro'] })),
      ],
      linux: {
        namespaces: ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup', 'user'].map((type) => ({ type })),
        uidMappings: [{ containerID: 0, hostID: 1_900_100_000, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: 1_900_100_000, size: 1 }],
      },
    };
    // its root is a mapped user, who may not make them
    for (const { destination } of config.mounts) mkdirSync(join(this.directory, 'rootfs', destination), { recursive: true });
    chmodSync(this.directory, 0o755);
    writeFileSync(join(this.directory, 'config.json'), JSON.stringify(config));
  }

  tool = (...args) => ['runc', '--root', join(this.directory, 'state'), ...args];

  /** `create` and `start` of one more container, which runs on until `dispose`. */
  next() {
    const name = `drover-bench-${process.pid}-${++this.made}`;
    const [create, start] = [this.tool('create', '--bundle', this.directory, name), this.tool('start', name)];
    return ['sh', '-c', `${create.join(' ')} </dev/null >/dev/null && ${start.join(' ')}`];
  }

  clear() {
    for (let at = this.cleared + 1; at <= this.made; at++) {
      const [program, ...args] = this.tool('delete', '--force', `drover-bench-${process.pid}-${at}`);
      spawnSync(program, args, { stdio: 'ignore' });
    }
    this.cleared = this.made;
  }

  dispose() {
    this.clear();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function finished([program, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}: ${said}`))));
  });
}

/** Median milliseconds of one after the other. */
export async function latencyOf(next, samples = 30) {
  const times = [];
  for (let at = 0; at < samples; at++) {
    const from = performance.now();
    await finished(next());
    times.push(performance.now() - from);
  }
  return quantile(times, 0.5);
}

/** A second, `atOnce` at a time. */
export async function rateOf(next, count) {
  const from = performance.now();
  let left = count;
  const lane = async () => {
    while (left-- > 0) await finished(next());
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return count / ((performance.now() - from) / 1000);
}
