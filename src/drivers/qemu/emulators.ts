/** The emulators of this host, and whether KVM works: found out by booting a guest of 512 bytes. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { programInPath } from '../../driver-kit/find-program.ts';
import type { Proofs } from '../../isolation/proofs.ts';
import { trialImage, trialSeconds, tryMachine } from './trial-machine.ts';

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
  /** The processor it booted with, as `-cpu` takes it: machines get the same. */
  readonly cpu: string;
}

/** The host's own where it may be had: some hosts offer a register that they do not let a machine set, and its emulator ends at once. */
const processors = ['host', 'host,-arch-capabilities', 'qemu64'];

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

const kvmProof = 'qemu.kvm.cpu';

/** Boots a guest under KVM, once for as long as the host stays as it is; takes seconds on a busy host, `trialSeconds` at most. */
export function proveKvm(proofs: Proofs, signal: AbortSignal): Promise<KvmProof> {
  return proofs.once(kvmProof, async () => {
    const program = await programInPath(programOf('x86_64'), process.env['PATH'] ?? '');
    if (program === null) return noKvm(`no ${programOf('x86_64')} in the PATH of the agent`);
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
  const reasons: string[] = [];
  for (const cpu of processors) {
    const from = performance.now();
    const { code, stderr } = await tryMachine(program, trialArguments(cpu), guest, signal);
    const ms = Math.round(performance.now() - from);
    const other = reasons.length === 0 ? '' : ` with -cpu ${cpu} (${processors[0]}: ${reasons[0]})`;
    if (code === guestSaid) return { ok: true, evidence: `a guest booted in ${ms} ms${other}`, cpu };
    reasons.push(
      stderr || (code === 0 ? 'the guest ended without a word' : `no guest booted within ${trialSeconds} s`),
    );
    // what hangs, or has no device, does so with any processor
    if (code === null || !existsSync('/dev/kvm')) break;
  }
  return noKvm(reasons[0]!);
}

function trialArguments(cpu: string): readonly string[] {
  const disk = `file=${trialImage},format=raw,if=virtio,read-only=on`;
  return [
    ...['-machine', 'pc,accel=kvm', '-cpu', cpu, '-m', '32', '-display', 'none', '-nodefaults', '-no-reboot'],
    ...['-drive', disk, '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04'],
  ];
}

export function noKvm(evidence: string): KvmProof {
  return { ok: false, evidence, cpu: '' };
}
