// Machines of Debian's kernel and a root file system of busybox alone. Where KVM does not boot that kernel they run emulated, in some seconds each.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, ExecSession, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { memoryLimit, openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { microvm } from './index.ts';
import { findKernel } from './kernels.ts';
import { busyboxRoot } from './scratch-root.ts';

const never = new AbortController().signal;
const kernel = await findKernel('');
const here = ((): boolean => {
  try {
    for (const program of ['qemu-system-x86_64', '/usr/sbin/mke2fs'])
      execFileSync(program, ['-V'], { stdio: 'ignore' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
  }
  return kernel !== null;
})();
let host: ScratchHost;
let images: string;
let driver: OpenDriver;
let engine: EngineDriver;
let sandboxed = false;

const resources = { cpuShares: 500, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.1, ports: [] };
const open = (more: Record<string, unknown> = {}): OpenDriver =>
  openDriver(microvm, { image_paths: [images], ...more }, host.deps);

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  images = join(host.scratch.root, 'images');
  busyboxRoot(join(images, 'root'));
  driver = open();
  engine = driver.engine;
  sandboxed = here && (await firstReport(engine)).health === 'healthy';
}, 120_000);
afterAll(async () => {
  await engine.close();
  const left = [
    ...(await host.leftGroups()),
    ...(await readdir(join(host.scratch.root, 'state/microvm')).catch(() => [])),
  ];
  await host.close();
  expect(left).toEqual([]);
});

async function firstReport(of: EngineDriver) {
  for await (const report of of.fingerprint(never)) return report;
  throw new Error('no report');
}

const task = (config: Record<string, unknown>, given: Partial<TaskConfig> = {}, by = driver): Promise<TaskConfig> =>
  host.task(by, { rootfs: join(images, 'root'), ...config }, { resources, ...given });
const shell = (
  script: string,
  config: Record<string, unknown> = {},
  given: Partial<TaskConfig> = {},
): Promise<TaskConfig> => task({ command: 'sh', args: ['-c', script], ...config }, given);

const output = (of: TaskConfig, stream = 'stdout'): Promise<string> =>
  readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8');

async function run(of: TaskConfig, by = engine) {
  const { isolation } = await startForetold(by, of);
  const exit = await by.wait(of.id, never);
  const said = { exit, isolation: isolation!, stdout: await output(of), stderr: await output(of, 'stderr') };
  await by.destroy(of.id, { force: false }, never);
  expect(await readdir(of.directories.secrets)).not.toContain('.microvm-start');
  return said;
}

async function saysSoon(of: TaskConfig, text: RegExp): Promise<void> {
  await expect.poll(() => output(of).catch(() => ''), { timeout: 60_000, interval: 200 }).toMatch(text);
}

async function all(session: ExecSession): Promise<string> {
  let text = '';
  for await (const { data } of session.output) text += Buffer.from(data).toString();
  return text;
}

const suite = (way: Way): DriverSuite => ({
  open: opening(way, microvm, () => ({ options: { image_paths: [images] }, deps: host.deps })),
  ends: (code) => shell(`exit ${code}`),
  runsFor: (ms) => shell(`trap 'exit 0' INT TERM; sleep ${ms / 1000} & wait`),
  stubborn: () => shell('trap "" INT; while :; do sleep 1; done'),
  cannotStart: () => task({ command: 'true', rootfs: 'local/none' }),
  says: async (text) => {
    const of = await shell(`echo ${text}`);
    return { task: of, read: () => output(of) };
  },
  execs: async () => ({ task: await shell('sleep 60'), command: ['sh', '-c', 'echo out; exit 4'] }),
  excused: {},
});

describe.skipIf(!here).each(ways)(
  'microvm with real machines, %s, does what every driver does:',
  { timeout: 180_000 },
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);

describe.skipIf(!here)('microvm', { timeout: 240_000 }, () => {
  test('says its kernel and monitor, and whether that kernel booted under KVM', async () => {
    const { health, attributes, description } = await firstReport(engine);
    expect({ health, description }).toEqual({ health: 'healthy', description: 'Healthy' });
    expect(attributes).toMatchObject({
      'driver.microvm': '1',
      'driver.microvm.kernel': kernel,
      'driver.microvm.kvm.evidence': expect.stringMatching(/./),
    });
    if (attributes['driver.microvm.kvm'] === '0') {
      const wanted = await task({ command: 'true', accelerator: 'kvm' });
      await expect(engine.start(wanted, never)).rejects.toThrow('accelerator "kvm" does not work here: ');
    }
  });

  test('a command runs under a kernel that is not the host’s, with its variables, files and secrets; output apart', async () => {
    const of = await shell(
      'uname -r; hostname; id -u; echo $COLOUR; cat /local/given /secrets/deep/key; echo oops >&2; exit 7',
      {},
      { env: { COLOUR: 'a b "c"\nd' } },
    );
    await writeFile(join(of.directories.local, 'given'), 'given\n');
    await mkdir(join(of.directories.secrets, 'deep'));
    await writeFile(join(of.directories.secrets, 'deep/key'), 'hush\n');
    const { exit, stdout, stderr, isolation } = await run(of);
    expect(stdout).toBe(`${kernel!.split('vmlinuz-')[1]}\nmain\n0\na b "c" d\ngiven\nhush\n`);
    expect(stderr).toBe('oops\n');
    expect(exit).toMatchObject({ exitCode: 7, signal: 0 });
    // emulated processors are no rung: what is reported is the sandbox of the monitor
    if (sandboxed) expect(isolation.rung).toBe('sandbox');
  });

  test('the end is the command’s own wait status', async () => {
    expect((await run(await shell('kill -SEGV $$'))).exit).toMatchObject({ exitCode: 139, signal: 11 });
    expect((await run(await task({ command: '/no/such' }))).exit).toMatchObject({ exitCode: 127 });
    expect((await run(await shell('exit 137'))).exit).toMatchObject({ exitCode: 137, signal: 0 });
  });

  test('a machine that ends without a word ended unknown', async () => {
    expect((await run(await shell('echo b > /proc/sysrq-trigger; sleep 60'))).exit).toMatchObject({
      unknown: 'machine-lost',
    });
  });

  test('what it writes goes with it: the root file system, /local and an image stay as they were', async () => {
    const image = join(images, 'root.ext4');
    execFileSync('/usr/sbin/mke2fs', ['-q', '-F', '-t', 'ext4', '-d', join(images, 'root'), image, '16M']);
    const before = await readFile(image);
    const writes = 'echo x > /written && echo x > /local/written && echo x > /alloc/written && ls /';
    for (const rootfs of [image, join(images, 'root')]) {
      const of = await shell(writes, { rootfs, disk_mb: 8, local_mb: 8 });
      expect(await run(of)).toMatchObject({ exit: { exitCode: 0 }, stdout: expect.stringContaining('written') });
      expect(await readdir(of.directories.local)).toEqual([]);
    }
    expect((await readFile(image)).equals(before)).toBe(true);
    expect(await readdir(join(images, 'root'))).not.toContain('written');
  });

  test('what it takes from its allocation is held: another task may exchange it for a link', async () => {
    for (const name of ['root', 'root.ext4']) {
      const of = await shell('ls /', { rootfs: `alloc/in/${name}`, disk_mb: 8 });
      const into = join(of.directories.shared, 'in');
      await cp(join(images, 'root'), join(into, 'root'), { recursive: true, verbatimSymlinks: true });
      execFileSync('/usr/sbin/mke2fs', [
        '-q',
        '-F',
        '-t',
        'ext4',
        '-d',
        join(into, 'root'),
        join(into, 'root.ext4'),
        '16M',
      ]);
      expect(await run(of)).toMatchObject({ exit: { exitCode: 0 }, stdout: expect.stringContaining('proc') });
    }
  });

  test('an image in an archive is its root: command, variables, directory and user come from it where the task says nothing', async () => {
    const root = join(images, 'root');
    const layer = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 << 20 });
    const diff = createHash('sha256').update(layer).digest('hex');
    const config = {
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['echo own; echo $COLOUR; pwd; id -u'],
      Env: ['COLOUR=blue'],
      WorkingDir: '/root',
      User: '1000',
    };
    const parts = join(images, 'parts');
    await mkdir(parts);
    await writeFile(join(parts, 'layer.tar'), layer);
    await writeFile(join(parts, 'c.json'), JSON.stringify({ config, rootfs: { diff_ids: [`sha256:${diff}`] } }));
    const manifest = [{ Config: 'c.json', RepoTags: ['own:1'], Layers: ['layer.tar'] }];
    await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest));
    const load = join(images, 'image.tar');
    execFileSync('tar', ['-C', parts, '-cf', load, '.']);
    expect((await run(await task({ rootfs: '', load, image: 'own:1' }))).stdout).toBe('own\nblue\n/root\n1000\n');
    const given = { rootfs: '', load, command: 'echo $COLOUR; pwd; id -u', work_dir: '/bin' };
    expect((await run(await task(given, { user: '7', env: { COLOUR: 'red' } }))).stdout).toBe('red\n/bin\n7\n');
    const start = async (given: Record<string, unknown>, by = driver) =>
      by.engine.start(await task(given, {}, by), never);
    await expect(start({ load })).rejects.toThrow('one of rootfs');
    await expect(start({ rootfs: '', load, image: 'other:1' })).rejects.toThrow('holds no image other:1, but own:1');
    await expect(start({ rootfs: '', load: '/etc/passwd' })).rejects.toThrow('is neither in the allocation nor below');
    const small = open({ image_limit_mb: 1 });
    await expect(start({ rootfs: '', load }, small)).rejects.toThrow(
      'larger than image_limit_mb allows: more than 1 MB',
    );
    await small.engine.close();
  });

  test('disks have the size they are given, whatever is written', async () => {
    const fill =
      'dd if=/dev/zero of=/full bs=1M count=200 2>&1 | grep -o "No space left on device"; dd if=/dev/zero of=/local/full bs=1M count=200 2>&1 | grep -o "No space left on device"';
    expect((await run(await shell(fill, { disk_mb: 8, local_mb: 8 }))).stdout).toBe(
      'No space left on device\nNo space left on device\n',
    );
  });

  test('signals arrive, commands run inside with a terminal and input, and a driver that comes later goes on', async () => {
    const of = await shell(
      'trap "echo hup" HUP; trap "echo int; exit 3" INT; echo up; while :; do sleep 0.2; done',
      { work_dir: '/root' },
      { user: '1000:100' },
    );
    const { state } = await engine.start(of, never);
    await saysSoon(of, /up/);
    await engine.signal!(of.id, 'SIGHUP', never);
    await saysSoon(of, /hup/);
    const plain = await engine.exec!(of.id, { command: ['sh', '-c', 'cat; id -u; exit 4'], tty: false }, never);
    await plain.writeStdin(Buffer.from('typed\n'));
    await plain.closeStdin();
    expect(await all(plain)).toBe('typed\n1000\n');
    expect(await plain.exit).toMatchObject({ exitCode: 4 });
    const terminal = await engine.exec!(
      of.id,
      { command: ['sh', '-c', 'tty; stty size'], tty: true, size: { height: 33, width: 77 } },
      never,
    );
    expect(await all(terminal)).toBe('/dev/pts/0\r\n33 77\r\n');
    const again = open();
    await again.engine.recover(of, JSON.parse(JSON.stringify(state)), never);
    await engine.close();
    engine = open().engine;
    const later = await again.engine.exec!(of.id, { command: ['echo', 'later'], tty: false }, never);
    expect(await all(later)).toBe('later\n');
    await again.engine.stop(of.id, { timeoutMs: 20_000, killSignal: '' }, never);
    expect(await again.engine.wait(of.id, never)).toMatchObject({ exitCode: 3, signal: 0 });
    await again.engine.destroy(of.id, { force: false }, never);
    await again.engine.close();
  });

  test('the monitor has no capability, no new privileges, a user of its own, and room beside its guest', async () => {
    const roomy = open({ memory_headroom: 250 });
    const of = await shell('echo up; sleep 60');
    const { state } = await roomy.engine.start(of, never);
    await saysSoon(of, /up/);
    expect([null, (128 + 250) << 20]).toContain(memoryLimit(state));
    const status = await readFile(`/proc/${String(state['pid'])}/status`, 'utf8');
    expect(status).toMatch(/Name:\s+qemu-system/);
    expect(status).toMatch(/CapEff:\s+0+\n/);
    expect(status).toMatch(/NoNewPrivs:\s+1/);
    expect(status).toMatch(/Seccomp:\s+2/);
    expect(Number(/Uid:\s+(\d+)/.exec(status)![1])).toBeGreaterThan(0);
    // what it was told is not where other users of the host look
    expect(await readFile(`/proc/${String(state['pid'])}/cmdline`, 'utf8')).not.toContain('echo up');
    await roomy.engine.destroy(of.id, { force: true }, never);
    await roomy.engine.close();
  });

  test('what cannot be is refused with its name', async () => {
    const refusal = async (config: Record<string, unknown>, given: Partial<TaskConfig> = {}, by = driver) =>
      startRefusal(by.engine, await task({ command: 'true', ...config }, given, by));
    expect(await refusal({ rootfs: '/etc' })).toContain('is neither in the allocation nor below');
    expect(await refusal({ kernel: '/etc/passwd' })).toContain('is neither in the allocation nor below');
    expect(await refusal({ rootfs: '' })).toContain('one of rootfs');
    expect(await refusal({ command: '' })).toContain('command is required');
    expect(await refusal({})).toBe('it was started');
    expect(await refusal({ accelerator: 'xen' })).toContain('accelerator is "auto", "kvm" or "tcg"');
    expect(await refusal({}, { resources: { ...resources, memoryMb: 32 } })).toContain('a machine needs 96 MB');
    expect(await refusal({ ports: ['http'] })).toContain('ports: the group has no port "http"');
    expect(await refusal({}, { user: 'nobody-there' })).toContain('is not in the machine');
    for (const [options, reason] of [
      [{ enabled: false }, 'disabled'],
      [{ kernel: '/boot/none' }, 'no kernel: /boot/none'],
    ] as const) {
      const other = open(options);
      expect((await firstReport(other.engine)).description).toContain(reason);
      await other.engine.close();
    }
  });

  test('a kernel of the task’s own is booted in place of the node’s', async () => {
    // without the modules of a release: this one needs them, so its machine finds no disk and ends without a word
    cpSync(kernel!, join(images, 'bare'));
    const of = await shell('exit 0', { kernel: join(images, 'bare'), accelerator: 'tcg' });
    expect((await run(of)).exit).toMatchObject({ unknown: 'machine-lost' });
  });
});
