/** A machine → the arguments of its monitor. Source: qemu(1). */
import { seen, seenStart } from './disks.ts';

export const program = 'qemu-system-x86_64';

/** `cpu`: as `-cpu` takes it. */
export type Accelerator = { readonly name: 'kvm'; readonly cpu: string } | { readonly name: 'tcg' };

export interface Machine {
  readonly accelerator: Accelerator;
  readonly memoryMb: number;
  readonly cores: number;
  /** The root file system is an image that must not be written: what the machine writes there goes with it. */
  readonly throwAway: boolean;
  /** Of the init's channel, as the monitor sees it. */
  readonly control: string;
  /** Arguments of its card; empty: none. */
  readonly card: readonly string[];
}

/** Output goes to descriptors that the monitor does not use itself; 3 and 4 become those of the task. */
export const withOutputs = 'exec "$@" 3>&1 4>&2';

export function monitorArguments({
  accelerator,
  memoryMb,
  cores,
  throwAway,
  control,
  card,
}: Machine): readonly string[] {
  return [
    ...bare(accelerator, memoryMb),
    ...['-smp', String(cores)],
    ...['-kernel', seen.kernel, '-initrd', seen.initrd, '-append', kernelWords],
    ...disk(seen.root, 'root', throwAway ? ',snapshot=on' : ''),
    ...disk(seen.local, 'local', ''),
    ...disk(seenStart, 'start', ',read-only=on'),
    ...disk(seen.end, 'end', ''),
    ...['-add-fd', 'fd=3,set=1', '-add-fd', 'fd=4,set=2', '-device', 'virtio-serial-pci'],
    ...port('out', 'file,path=/dev/fdset/1,append=on'),
    ...port('err', 'file,path=/dev/fdset/2,append=on'),
    ...port('control', `socket,path=${control},server=on,wait=off`),
    ...card,
  ];
}

/** A machine that boots, finds nothing to do and ends. */
export function trialArguments(kernel: string, initrd: string, cpu: string): readonly string[] {
  return [...bare({ name: 'kvm', cpu }, 128), '-kernel', kernel, '-initrd', initrd, '-append', kernelWords];
}

// the kernel's tests of its own ciphers are a sixth of an emulated start
const kernelWords = 'quiet panic=-1 reboot=t random.trust_cpu=on cryptomgr.notests';

// in MB what is translated; by itself it takes up to a gigabyte, which is not the task's
const emulator = 'tcg,tb-size=64';

function bare(accelerator: Accelerator, memoryMb: number): readonly string[] {
  return [
    ...['-machine', 'type=q35', '-accel', accelerator.name === 'kvm' ? 'kvm' : emulator, '-m', `${memoryMb}M`],
    ...['-cpu', accelerator.name === 'kvm' ? accelerator.cpu : 'max'],
    // what is emulated is what can be attacked: nothing that was not asked for, and no way out but the sandbox's
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-nic', 'none'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  ];
}

/** In the order in which the machine names them: vda, vdb, … */
function disk(path: string, id: string, more: string): readonly string[] {
  return ['-drive', `file=${path},format=raw,if=none,id=${id}${more}`, '-device', `virtio-blk-pci,drive=${id}`];
}

function port(name: string, backend: string): readonly string[] {
  const [kind, ...rest] = backend.split(',');
  return [
    '-chardev',
    [kind, `id=${name}`, ...rest].join(','),
    '-device',
    `virtserialport,chardev=${name},name=${name}`,
  ];
}
