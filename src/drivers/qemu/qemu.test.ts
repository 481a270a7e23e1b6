// Machines with a boot sector of a few bytes: they end by the emulator's exit device, speak over the serial port, or stand still.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { startForetold, startRefusal } from '../../driver-kit/rehearsal-kit.ts';
import { memoryLimit, openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { qemu } from './index.ts';

const never = new AbortController().signal;
const here = ((): boolean => {
  try {
    execFileSync('qemu-system-x86_64', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
let host: ScratchHost;
let driver: OpenDriver;
let engine: EngineDriver;
let kvm = false;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(qemu, {}, host.deps);
  engine = driver.engine;
  if (!here) return;
  const report = await wholeReport(engine);
  kvm = report.attributes['driver.qemu.kvm'] === '1';
}, 60_000);
afterAll(async () => {
  await engine.close();
  const left = await host.leftGroups();
  await host.close();
  expect(left).toEqual([]);
});

/** The first that knows of KVM. */
async function wholeReport(of: EngineDriver) {
  for await (const report of of.fingerprint(never))
    if (report.health !== 'healthy' || 'driver.qemu.kvm' in report.attributes) return report;
  throw new Error('no report');
}

/** 16-bit code, as the first sector of a disk of 1 MB. */
function disk(code: readonly number[]): Buffer {
  const bytes = Buffer.alloc(1 << 20);
  bytes.set(code);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}
const halt = [0xfa, 0xf4, 0xeb, 0xfd];
/** The emulator ends with `(value << 1) | 1`. */
const exits = (value: number): readonly number[] => [0xba, 0xf4, 0x00, 0xb0, value, 0xee, ...halt];
const speaks = (text: string): readonly number[] => [
  // the firmware's own last words come late
  ...Array.from(Buffer.from(`${'\n'.repeat(16)}${text}`)).flatMap((byte) => [0xba, 0xf8, 0x03, 0xb0, byte, 0xee]),
  ...exits(0),
];
const idles = [0xfb, 0xf4, 0xeb, 0xfd];
const exitDevice = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04'];
const resources = { cpuShares: 500, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.1, ports: [] };

async function machine(
  code: readonly number[],
  more: Record<string, unknown> = {},
  by = driver,
  given: Partial<TaskConfig> = {},
) {
  const config = { image_path: 'local/disk.img', accelerator: kvm ? 'kvm' : 'tcg', args: exitDevice, ...more };
  const of = await host.task(by, config, { resources, ...given });
  await writeFile(join(of.directories.local, 'disk.img'), disk(code));
  return of;
}

const output = (of: TaskConfig): Promise<string> => readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');

async function run(of: TaskConfig, by = engine) {
  const { isolation } = await startForetold(by, of);
  const exit = await by.wait(of.id, never);
  const stderr = await readFile(join(of.directories.logs, `${of.name}.stderr.0`), 'utf8');
  const said = { exit, isolation: isolation!, stdout: await output(of), stderr };
  await by.destroy(of.id, { force: false }, never);
  return said;
}

const suite = (way: Way): DriverSuite => ({
  open: opening(way, qemu, () => ({ options: {}, deps: host.deps })),
  // an odd code: (value << 1) | 1
  ends: (code) => machine(exits((code - 1) / 2)),
  runsFor: () => machine(idles),
  stubborn: async () => null,
  cannotStart: () => machine(idles, { image_path: 'local/none.img' }),
  says: async (text) => {
    const of = await machine(speaks(text));
    return { task: of, read: () => output(of) };
  },
  execs: async () => null,
  excused: {
    'a running task is found again by its state, and once known is not found twice':
      'a machine does not end by itself after a while; tried below',
  },
});

describe.skipIf(!here).each(ways)(
  'qemu with real machines, %s, does what every driver does:',
  { timeout: 60_000 },
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);

describe.skipIf(!here)('qemu', { timeout: 60_000 }, () => {
  test('says version, emulators, and whether a guest booted under KVM', async () => {
    const { health, attributes } = await wholeReport(engine);
    expect(health).toBe('healthy');
    expect(attributes).toMatchObject({
      'driver.qemu': '1',
      'driver.qemu.version': expect.stringMatching(/^\d+\./),
      'driver.qemu.emulators': expect.stringContaining('x86_64'),
    });
    const there = await stat('/dev/kvm').catch(() => null);
    if (there === null) expect(attributes['driver.qemu.kvm']).toBe('0');
    else expect(attributes['driver.qemu.kvm.evidence']).toMatch(kvm ? /^a guest booted in \d+ ms$/ : /./);
  });

  test('a machine runs under KVM, its emulator in the sandbox of exec under a uid of its own', async ({ skip }) => {
    if (!kvm) skip('KVM does not work on this host');
    const of = await machine(idles, { accelerator: 'kvm' });
    const { state, isolation } = await engine.start(of, never);
    const status = await readFile(`/proc/${String(state['pid'])}/status`, 'utf8');
    const line = await readFile(`/proc/${String(state['pid'])}/cmdline`, 'utf8');
    expect(line).toContain('accel=kvm');
    if (host.deps.isolation.best === 'sandbox') {
      expect(isolation).toMatchObject({ rung: 'sandbox' });
      expect(status).toMatch(/CapEff:\s+0+\n/);
      expect(Number(/Uid:\s+(\d+)/.exec(status)![1])).toBeGreaterThan(0);
    }
    await engine.destroy(of.id, { force: true }, never);
  });

  test('the same machine runs emulated, where there is no KVM', async () => {
    expect((await run(await machine(exits(3), { accelerator: 'tcg' }))).exit).toMatchObject({ exitCode: 7 });
  });

  test('a machine is found again, runs on, and its end is told', async () => {
    const of = await machine(idles);
    const { state } = await engine.start(of, never);
    const again = openDriver(qemu, {}, host.deps).engine;
    await again.recover(of, JSON.parse(JSON.stringify(state)), never);
    expect((await again.inspect(of.id, never)).state).toBe('running');
    await engine.stop(of.id, { timeoutMs: 2_000, killSignal: '' }, never);
    await again.wait(of.id, never);
    await engine.destroy(of.id, { force: true }, never);
    await again.close();
  });

  test("an image of the operator's directory is used, never written; elsewhere, and by a link, it is refused", async () => {
    const images = join(host.scratch.root, 'images');
    await mkdir(images, { recursive: true, mode: 0o755 });
    const path = join(images, 'shared.img');
    await writeFile(path, disk(exits(2)), { mode: 0o644 });
    const before = (await stat(path)).mtimeMs;
    const allowed = openDriver(qemu, { image_paths: [images] }, host.deps);
    const of = await machine(idles, { image_path: path, drive_interface: 'ide' }, allowed);
    expect(await run(of, allowed.engine)).toMatchObject({ exit: { exitCode: 5 } });
    expect((await stat(path)).mtimeMs).toBe(before);
    // whether it is there is not told where the operator lists nothing
    for (const unlisted of [path, join(images, 'none.img')])
      await expect(engine.start(await machine(idles, { image_path: unlisted }), never)).rejects.toMatchObject({
        kind: 'denied',
        message: expect.stringContaining("below one of the operator's image_paths (none is set)"),
      });
    const gone = await machine(idles, { image_path: join(images, 'none.img') }, allowed);
    await expect(allowed.engine.start(gone, never)).rejects.toThrow('none.img" is not there');
    const sly = await machine(idles, { image_path: 'local/link.img' });
    await symlink(path, join(sly.directories.local, 'link.img'));
    await expect(engine.start(sly, never)).rejects.toThrow('image_path "local/link.img" is not there');
    await allowed.engine.close();
  });

  test('arguments, emulators, interfaces and sizes outside of what is allowed are refused', async () => {
    const strict = openDriver(qemu, { args_allowlist: ['-smbios'], emulators_allowlist: ['aarch64'] }, host.deps);
    const refusal = async (more: Record<string, unknown>, by = engine, given: Partial<TaskConfig> = {}) =>
      startRefusal(by, await machine(idles, more, driver, given));
    expect(await refusal({ emulator: 'aarch64', args: ['--device', 'x'] }, strict.engine)).toContain(
      'args: --device are not in',
    );
    expect(await refusal({ args: [] }, strict.engine)).toContain('emulator "x86_64" is not in');
    expect(await refusal({ drive_interface: 'usb' })).toContain('drive_interface is one of');
    expect(await refusal({ machine_type: 'pc,accel=kvm' })).toContain('machine_type: "pc,accel=kvm" is no name');
    expect(await refusal({}, engine, { resources: { ...resources, memoryMb: 64 } })).toContain('out of bounds');
    expect(await refusal({}, engine, { user: 'root' })).toContain('an emulator does not run as root');
    expect(await refusal({ emulator: 'none_such' })).toContain('there is no qemu-system-none_such');
    expect(await refusal({ image_path: '/etc/passwd' })).toContain('is neither in the allocation nor below');
    expect(await refusal({})).toBe('it was started');
    expect(await refusal({ port_map: [{ http: 80 }] })).toContain('port "http" is not among');
    await strict.engine.close();
  });

  test('machine, ports, agent and drive are what the options say; the emulator has room beside its guest', async () => {
    const port = { label: 'http', value: 23_911, to: 80, hostIp: '127.0.0.1' };
    const roomy = openDriver(qemu, { memory_headroom: 170 }, host.deps);
    const of = await machine(
      idles,
      { machine_type: 'q35', drive_interface: 'virtio', guest_agent: true, port_map: [{ http: 80 }] },
      roomy,
      { resources: { ...resources, ports: [port] } },
    );
    const { state } = await roomy.engine.start(of, never);
    const line = (await readFile(`/proc/${String(state['pid'])}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    expect(line).toContain('type=q35');
    expect(line).toContain('if=virtio');
    expect(line).toContain('hostfwd=tcp:127.0.0.1:23911-:80');
    expect(line).toContain('hostfwd=udp:127.0.0.1:23911-:80');
    await sleep(500);
    expect((await stat(join(of.directories.task, 'qa.sock'))).isSocket()).toBe(true);
    expect([null, (128 + 170) << 20]).toContain(memoryLimit(state));
    await roomy.engine.destroy(of.id, { force: true }, never);
    await roomy.engine.close();
  });

  test('a stop presses the power button, waits as long as it may, then ends what does not heed it', async () => {
    const of = await machine(idles, { graceful_shutdown: true });
    await engine.start(of, never);
    await sleep(1_000);
    const before = Date.now();
    await engine.stop(of.id, { timeoutMs: 1_000, killSignal: '' }, never);
    expect(Date.now() - before).toBeGreaterThanOrEqual(950);
    await engine.wait(of.id, never);
    await engine.destroy(of.id, { force: false }, never);
  });
});
