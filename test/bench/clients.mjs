/**
 * Figures about drivers of commands: to a task's first words, from the request and from the moment when the agent's client asks the driver, beside
 * the same thing by the runtime's own client; and what we add in memory.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, drover, memoryKb, quantile, root, sleep } from './agent.mjs';
import { sandboxed } from './runtimes.mjs';
import { shimsOf } from './tasks.mjs';

const word = 'drover-bench-up';
const speaking = ['-c', `echo ${word}; sleep 1000`];
const kilobyte = (text) => Math.round(Number(text));

/** Milliseconds until the program's output has the word; it is then ended, `after` too. */
function byHand([program, ...args], options = {}) {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let said = '';
    const hear = (part) => {
      said += part;
      if (!said.includes(word)) return;
      resolve(performance.now() - from);
      child.kill('SIGKILL');
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', hear);
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`${program}: ${said.slice(-500)}`)));
  });
}

/** Has an agent note when it asks its drivers. */
const noting = { wrap: ([node, ...words]) => [node, '--import', fileURLToPath(new URL('driver-starts.mjs', import.meta.url)), ...words] };

/**
 * Milliseconds to the word in the task's output: its directory is waited for, then the kernel tells what is written there. `request`: from the
 * request; `start`: from the call of the driver, undefined where it is in a process of its own.
 */
async function byAgent(agent, id, task) {
  const data = join(agent.directory, 'data/alloc');
  // what ended before said the same word, and may not be removed yet
  const before = new Set(list(data));
  const from = process.hrtime.bigint();
  const passed = () => milliseconds(process.hrtime.bigint() - from);
  await agent.register(id, task);
  for (; ; await sleep(2)) {
    for (const allocation of list(data).filter((each) => !before.has(each))) {
      const logs = join(data, allocation, 'alloc/logs');
      if (!list(join(data, allocation)).includes('alloc') || !(await saidIn(logs, 90_000 - passed()))) continue;
      const at = process.hrtime.bigint();
      const asked = askedOf(agent, allocation);
      return { request: milliseconds(at - from), start: asked === undefined ? undefined : milliseconds(at - asked) };
    }
    if (passed() > 90_000) throw new Error(`${id} says nothing: ${JSON.stringify((await agent.get(`/v1/job/${id}/allocations`))[0]?.TaskStates)}`);
  }
}

const milliseconds = (nanoseconds) => Number(nanoseconds) / 1e6;

/** When the driver was asked for the allocation's task. */
function askedOf(agent, allocation) {
  const file = join(agent.directory, 'driver-starts');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const line = lines.find((each) => each.split(' ')[1]?.startsWith(`${allocation}/`));
  return line === undefined ? undefined : BigInt(line.split(' ')[0]);
}

/** False: the directory is not there yet, or nothing came in time. */
function saidIn(logs, limitMs) {
  return new Promise((resolve) => {
    const said = () => list(logs).some((file) => file.includes('.stdout.') && readFileSync(join(logs, file), 'utf8').includes(word));
    let watcher;
    const end = (found) => {
      clearTimeout(timer);
      watcher?.close();
      resolve(found);
    };
    const timer = setTimeout(end, limitMs, false);
    try {
      watcher = watch(logs, () => said() && end(true));
      if (said()) end(true);
    } catch {
      end(false);
    }
  });
}

function list(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** What each driver is asked for, and the same by hand. `most`: of the target, where it has one. */
const kinds = {
  exec: {
    samples: 30,
    prepare: () => {},
    task: () => ({ driver: 'exec', config: { command: '/bin/sh', args: speaking }, memory: 32 }),
    hand: (_, root) => () => byHand(sandboxed(['/bin/sh', ...speaking], root)),
    // its runtime is bubblewrap
    own: 'in bubblewrap by hand',
  },
  java: {
    samples: 15,
    prepare(directory) {
      const source = join(directory, 'Up.java');
      writeFileSync(source, `public class Up { public static void main(String[] a) throws Exception { System.out.println("${word}"); Thread.sleep(1000000); } }`);
      execFileSync('ecj', ['-17', '-proc:none', '-nowarn', '-d', directory, source]);
    },
    task: () => ({ driver: 'java', volume: 'code', config: { class_path: '/code', class: 'Up', jvm_options: ['-Xmx32m', '-XX:+UseSerialGC'] }, memory: 192 }),
    hand: (directory) => () => byHand(['java', '-Xmx32m', '-XX:+UseSerialGC', '-cp', directory, 'Up']),
    sandboxed: (directory, root) => () => byHand(sandboxed(['java', '-Xmx32m', '-XX:+UseSerialGC', '-cp', '/code', 'Up'], root, ['--ro-bind', directory, '/code', '--dir', '/tmp'])),
  },
  wasm: {
    samples: 15,
    prepare(directory) {
      const source = join(directory, 'up.c');
      writeFileSync(source, `#include <stdio.h>\nint main() { puts("${word}"); fflush(stdout); for (;;); }`);
      execFileSync('clang', ['--target=wasm32-wasi', '--sysroot=/usr', '-O1', '-s', '-o', join(directory, 'up.wasm'), source], { stdio: 'ignore' });
      writeFileSync(
        join(directory, 'up.mjs'),
        `import { WASI } from 'node:wasi'; import { readFileSync } from 'node:fs';
         const wasi = new WASI({ version: 'preview1', args: ['up'] });
         const module = await WebAssembly.compile(readFileSync(process.argv[2]));
         wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));`,
      );
    },
    plugin: (directory) => ({ wasm: { config: { module_paths: [directory] } } }),
    task: (directory) => ({ driver: 'wasm', config: { module: join(directory, 'up.wasm') }, memory: 128 }),
    // a NODE_EXTRA_CA_CERTS of who measures would have it read certificates first, which no task does
    hand: (directory) => () => byHand([process.execPath, '--no-warnings', join(directory, 'up.mjs'), join(directory, 'up.wasm')], { env: {} }),
    sandboxed: (directory, root) => () =>
      byHand(sandboxed(['/run/node', '--no-warnings', '/code/up.mjs', '/code/up.wasm'], root, ['--ro-bind', process.execPath, '/run/node', '--ro-bind', directory, '/code']), { env: { PATH: process.env.PATH } }),
  },
  qemu: {
    samples: 10,
    prepare: (directory) => writeFileSync(join(directory, 'up.img'), speaks(`${word}\n`), { mode: 0o644 }),
    plugin: (directory) => ({ qemu: { config: { image_paths: [directory] } } }),
    task: (directory) => ({ driver: 'qemu', config: { image_path: join(directory, 'up.img'), accelerator: 'tcg' }, memory: 128 }),
    hand: (directory) => () => byHand(machine(join(directory, 'up.img'))),
    sandboxed: (directory, root) => () => byHand(sandboxed(machine('/code/up.img'), root, ['--ro-bind', directory, '/code', '--dir', '/var/tmp', '--dir', '/tmp'])),
  },
  microvm: {
    samples: 5,
    prepare(directory) {
      for (const name of ['bin', 'proc', 'sys', 'dev']) mkdirSync(join(directory, 'root', name), { recursive: true });
      copyFileSync('/bin/busybox', join(directory, 'root/bin/busybox'));
      execFileSync('ln', ['-s', 'busybox', join(directory, 'root/bin/sh')]);
      writeFileSync(join(directory, 'root/init'), `#!/bin/sh\n/bin/busybox mount -t devtmpfs dev /dev\necho ${word} > /dev/ttyS0\n/bin/busybox sleep 1000\n`, { mode: 0o755 });
      // of this machine's own kernel and busybox, by the kernel's own way for a root in memory
      const made = spawnSync('sh', ['-c', `cd '${directory}/root' && find . | /bin/busybox cpio -o -H newc > '${directory}/initrd'`], { encoding: 'utf8' });
      if (made.status !== 0) throw new Error(made.stderr);
    },
    plugin: (directory) => ({ microvm: { config: { image_paths: [directory] } } }),
    task: (directory) => ({ driver: 'microvm', config: { rootfs: join(directory, 'root'), command: '/bin/busybox', args: ['sh', '-c', `echo ${word}; busybox sleep 1000`], accelerator: 'tcg' }, memory: 128 }),
    hand: (directory) => () =>
      byHand([
        ...['qemu-system-x86_64', '-machine', 'type=q35', '-accel', 'tcg,tb-size=64', '-cpu', 'max', '-m', '128M', '-nodefaults', '-display', 'none', '-no-reboot', '-nic', 'none', '-smp', '2'],
        ...['-kernel', newestKernel(), '-initrd', join(directory, 'initrd'), '-append', 'quiet panic=-1 reboot=t random.trust_cpu=on', '-serial', 'stdio'],
      ]),
  },
  lxc: {
    samples: 10,
    prepare(directory) {
      mkdirSync(join(directory, 'plugins'));
      const built = spawnSync(process.execPath, [drover, 'driver', 'build', '-o', join(directory, 'plugins/nomad-driver-lxc'), join(root, 'examples/plugins/lxc/driver.js')], { encoding: 'utf8' });
      if (built.status !== 0) throw new Error(built.stderr);
    },
    plugin: (directory) => ({ 'nomad-driver-lxc': { args: [join(directory, 'state')], config: { lxc_path: join(directory, 'containers'), network_mode: 'none' } } }),
    task: () => ({ driver: 'lxc', config: { template: 'busybox', command: '/bin/sh', args: ['-c', `echo ${word}; sleep 1000`] }, memory: 64 }),
    hand: (directory) => {
      let made = 0;
      return async () => {
        const name = `by-hand-${++made}`;
        const [path, config] = [join(directory, 'by-hand'), join(directory, 'by-hand.conf')];
        mkdirSync(path, { recursive: true });
        writeFileSync(config, 'lxc.net.0.type = empty\n');
        const from = performance.now();
        execFileSync('lxc-create', ['-P', path, '-n', name, '-f', config, '-t', 'busybox'], { stdio: 'ignore' });
        await byHand(['lxc-execute', '-P', path, '-n', name, '-q', '--', '/bin/sh', '-c', `echo ${word}; sleep 1000`]);
        const ms = performance.now() - from;
        spawnSync('lxc-stop', ['-P', path, '-n', name, '-k'], { stdio: 'ignore' });
        spawnSync('lxc-destroy', ['-P', path, '-n', name, '-f'], { stdio: 'ignore' });
        return ms;
      };
    },
  },
};

const machine = (image) => ['qemu-system-x86_64', '-machine', 'type=pc,accel=tcg', '-m', '128M', '-nographic', '-nic', 'none', '-snapshot', '-drive', `file=${image},if=ide,format=raw`];

/** A boot sector that says this on the first serial port and stands still. */
function speaks(text) {
  const disk = Buffer.alloc(1 << 20);
  const bytes = Buffer.from(`${'\n'.repeat(16)}${text}`);
  // si: the text, behind the code; each byte to the port when it has room
  const code = [0xfc, 0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x00, 0x7d, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20, 0x74, 0xf8, 0xac, 0x84, 0xc0, 0x74, 0x06, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xed, 0xf4, 0xeb, 0xfd];
  disk.set(code);
  disk.set(bytes, 0x100);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

function newestKernel() {
  const names = readdirSync('/boot').filter((name) => name.startsWith('vmlinuz-'));
  return join('/boot', names.sort(new Intl.Collator('en', { numeric: true }).compare).at(-1));
}

async function client(report, name) {
  const kind = kinds[name];
  const directory = mkdtempSync(join(tmpdir(), `drover-bench-${name}-`));
  chmodSync(directory, 0o755);
  let agent;
  try {
    kind.prepare(directory);
    const config = {
      plugin: kind.plugin?.(directory) ?? {},
      client: { host_volume: { code: { path: directory, read_only: true } } },
      ...(name === 'lxc' ? { plugin_dir: join(directory, 'plugins') } : {}),
    };
    agent = await Agent.start(['-server', '-client'], config, noting);
    await agent.untilDriver(name);
    mkdirSync(join(directory, 'sandbox'));
    const hand = kind.hand(directory, join(directory, 'sandbox'));
    const held = kind.sandboxed?.(directory, join(directory, 'sandbox'));
    const [theirs, ours, inSandbox] = [[], [], []];
    for (let at = 0; at < kind.samples + 1; at++) {
      const [by, sandbox, own] = [await hand(), await held?.(), await byAgent(agent, `${name}-${at}`, { cpu: 500, ...kind.task(directory) })];
      // the first one warms what both read
      if (at > 0) {
        theirs.push(by);
        inSandbox.push(sandbox);
        ours.push(own);
      }
      if (at === kind.samples) {
        // what starts still opens and closes files
        await sleep(200);
        const added = [agent.directory, directory].flatMap(shimsOf).map(memoryKb);
        report(`${name}, supervisor of a task: RSS`, kilobyte(Math.max(...added.map(({ rss }) => rss))), 'kB', { most: 1024 });
      }
      await agent.stopJobs();
      await fetch(`${agent.address}/v1/system/gc`, { method: 'PUT' });
      await sleep(200);
    }
    const bare = quantile(theirs, 0.5);
    const by = kind.own ?? 'by hand';
    report(`${name} ${by}, first words, p50`, bare, 'ms');
    const sandbox = held === undefined ? null : quantile(inSandbox, 0.5);
    if (sandbox !== null) report(`${name} in bubblewrap by hand, first words, p50`, sandbox, 'ms');
    for (const [from, named] of [['start', "the driver's start"], ['request', 'the request']]) {
      if (ours[0][from] === undefined) continue;
      const own = quantile(ours.map((each) => each[from]), 0.5);
      const times = (other) => (own / other).toFixed(2);
      const note = `${times(bare)} × ${by}${sandbox === null ? '' : `, ${times(sandbox)} × in bubblewrap by hand`}`;
      report(`${name}, first words from ${named}, p50`, own, 'ms', { most: bare * 1.2, note });
    }
  } finally {
    await agent?.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}

export const clients = Object.fromEntries(Object.keys(kinds).map((name) => [name, (report) => client(report, name)]));
