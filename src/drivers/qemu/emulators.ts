/** The emulators of this host, and whether KVM works: found out by booting a guest of 512 bytes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programInPath } from '../../driver-kit/find-program.ts';
import type { Proofs } from '../../isolation/proofs.ts';
import { trialSeconds, tryMachine } from './trial-machine.ts';

const run = promisify(execFile);

export interface Emulators {
  /** `"7.2.22"` */
  readonly version: string;
  /** `["aarch64", "x86_64"]` */
  readonly names: readonly string[];
}

export interface KvmProof {
  readonly ok: boolean;
  /** What was seen: `"a guest booted in 412 ms"`, or why not. */
  readonly evidence: string;
}

export function programOf(emulator: string): string {
  return `qemu-system-${emulator}`;
}

/** Null: there is no emulator in the agent's PATH, or it says no version. */
export async function findEmulators(signal: AbortSignal): Promise<Emulators | null> {
  const names = await emulatorNames(process.env['PATH'] ?? '');
  const program = await emulatorOf(names);
  if (program === null) return null;
  try {
    const { stdout } = await run(program, ['--version'], { signal, timeout: 10_000 });
    const version = /version (\d[\w.]*)/.exec(stdout)?.[1];
    return version === undefined ? null : { version, names };
  } catch {
    return null;
  }
}

/** Some emulator, this machine's where there is one. */
async function emulatorOf(names: readonly string[]): Promise<string | null> {
  const [first] = names.includes('x86_64') ? ['x86_64'] : names;
  return first === undefined ? null : programInPath(programOf(first), process.env['PATH'] ?? '');
}

/** Undefined: it was not tried since the host was last looked at. */
export function knownKvm(proofs: Proofs): KvmProof | undefined {
  return proofs.get(kvmProof) as KvmProof | undefined;
}

const kvmProof = 'qemu.kvm';

/** Boots a guest under KVM, once for as long as the host stays as it is; takes seconds on a busy host, `trialSeconds` at most. */
export function proveKvm(proofs: Proofs, signal: AbortSignal): Promise<KvmProof> {
  return proofs.once(kvmProof, async () => {
    const program = await programInPath(programOf('x86_64'), process.env['PATH'] ?? '');
    if (program === null) return { ok: false, evidence: `no ${programOf('x86_64')} in the PATH of the agent` };
    return bootGuest(program, signal);
  });
}

async function emulatorNames(path: string): Promise<readonly string[]> {
  const folders = path.split(':').filter((each) => each.startsWith('/'));
  const files = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  const names = files.flat().flatMap((file) => /^qemu-system-([a-z0-9_]+)$/.exec(file)?.[1] ?? []);
  return [...new Set(names)].filter((name) => !/^(x86|arm|misc|gui|common)$/.test(name)).sort();
}

/** A boot sector that writes one byte to the port by which the emulator is told to end, then stands still. */
const guest = Buffer.alloc(512);
guest.set([0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd]);
guest.set([0x55, 0xaa], 510);
/** The byte, doubled, plus one: as the emulator's device says it. */
const guestSaid = (0x10 << 1) | 1;

/** Boots the guest under KVM: whether the device is there, may be opened and really runs code is one question. */
async function bootGuest(program: string, signal: AbortSignal): Promise<KvmProof> {
  const directory = await mkdtemp(join(tmpdir(), 'drover-kvm-'));
  const from = performance.now();
  try {
    const disk = join(directory, 'disk');
    await writeFile(disk, guest);
    const args = [
      ...['-machine', 'pc,accel=kvm', '-m', '32', '-display', 'none', '-nodefaults', '-no-reboot'],
      ...['-drive', `file=${disk},format=raw,if=ide`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04'],
    ];
    const { code, stderr } = await tryMachine(program, args, signal);
    if (code === guestSaid)
      return { ok: true, evidence: `a guest booted in ${Math.round(performance.now() - from)} ms` };
    if (code === 0) return { ok: false, evidence: 'the guest ended without a word' };
    return { ok: false, evidence: stderr || `no guest booted within ${trialSeconds} s` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
