/** `microvm`: an ordinary command in a machine of its own: a kernel, a root file system, nothing of the host's. */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { CommandDriver, CommandSpec, DriverInfo, Fingerprint, TaskConfig } from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { programInPath } from '../../driver-kit/find-program.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { IsolatedCommand } from '../../driver-kit/isolated-command.ts';
import { hostResolvers } from '../../isolation/host-resolvers.ts';
import { Fault } from '../../lib/fault.ts';
import { findEmulators, type KvmProof, noKvm, proveKvm } from '../qemu/emulators.ts';
import { kvmDevice, makeDevices } from '../qemu/kvm-device.ts';
import { coresIn, diskOf } from '../qemu/machine.ts';
import { bootUnderKvm } from './boot-under-kvm.ts';
import { Disks, secretFiles } from './disks.ts';
import { findKernel, makeInitrd } from './kernels.ts';
import { type Accelerator, monitorArguments, program, withOutputs } from './machine.ts';
import { MachineEngine } from './machine-engine.ts';
import { type MachineNetwork, machineNetwork } from './network.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';
import { imageOf, makeRoot, sourceOf } from './root.ts';

export const microvm = definePlugin({
  pluginName: 'microvm',
  configSchema,
  taskSchema,
  create: (config, deps) => {
    const root = join(dirname(deps.stateDirectory), 'microvm');
    const driver = new Microvm(config, new IsolatedCommand('microvm', config, deps, { sharedIds: true }), root);
    return new MachineEngine(commandEngine(driver, deps), driver.tasks, root);
  },
});

const leastMemoryMb = 96;

/** Under this name the trial of a kernel is kept, until the host is looked at again. */
function proofKey(kernel: string): string {
  return `microvm.kvm.cpu ${kernel}`;
}

class Microvm implements CommandDriver {
  readonly info: DriverInfo;
  /** Tasks as they were given, by id: their users are of the machine, and not looked up on the host. */
  readonly tasks = new Map<string, TaskConfig>();
  readonly #config: PluginOptions;
  readonly #isolated: IsolatedCommand;
  readonly #root: string;

  constructor(config: PluginOptions, isolated: IsolatedCommand, root: string) {
    this.#root = root;
    this.#config = config;
    this.#isolated = isolated;
    this.info = {
      ...isolated.info('0.1.0'),
      filesystem: 'image',
      networkModes: ['host', 'group', 'none'],
      mounts: false,
    };
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(signal), signal);
  }

  async #look(signal: AbortSignal): Promise<Fingerprint> {
    const not = (description: string): Fingerprint => ({ health: 'undetected', description, attributes: {} });
    if (!this.#config.enabled) return not('disabled');
    const found = await findEmulators(signal);
    if (found?.names.includes('x86_64') !== true) return not(`no working ${program} in the PATH of the agent`);
    const kernel = await findKernel(this.#config.kernel ?? '');
    if (kernel === null)
      return not(`no kernel: ${this.#config.kernel || '/boot/vmlinuz-*'} is not there or not readable`);
    if ((await this.#mke2fs()) === null) return not('no mke2fs (Debian: e2fsprogs)');
    if (!this.#isolated.sandboxed) return not('the machine monitor has no sandbox on this node: see drover doctor');
    // where no operator has images for machines, the first task waits for the trial, not each start of the agent
    const tried = this.#config.image_paths.length > 0 || this.#isolated.host.proofs.get(proofKey(kernel)) !== undefined;
    const kvm = tried
      ? await this.#kvmFor(kernel, signal)
      : noKvm('not tried before the first task: image_paths is empty');
    return this.#isolated.healthy({
      'driver.microvm.version': found.version,
      'driver.microvm.kernel': kernel,
      'driver.microvm.kvm': kvm.ok ? '1' : '0',
      'driver.microvm.kvm.evidence': kvm.evidence,
    });
  }

  #mke2fs(): Promise<string | null> {
    return programInPath('mke2fs', '/usr/sbin:/sbin:/usr/bin:/bin');
  }

  /** A guest of a few bytes may run where a kernel does not: this one is booted to its end, once per boot of the host. */
  async #kvmFor(kernel: string, signal: AbortSignal): Promise<KvmProof> {
    const { proofs } = this.#isolated.host;
    const any = await proveKvm(proofs, signal);
    if (!any.ok) return any;
    return proofs.once(proofKey(kernel), () => bootUnderKvm(kernel, any.cpu, signal));
  }

  async plan({ id }: TaskConfig, signal: AbortSignal): Promise<CommandSpec> {
    const task = this.tasks.get(id)!;
    const options = task.config as TaskOptions;
    const accelerator = await this.#accelerator(options, task, signal);
    if (!this.#isolated.sandboxed) throw new Fault('unavailable', 'the machine monitor has no sandbox on this node');
    const monitor = await programInPath(program, process.env['PATH'] ?? '');
    if (monitor === null) throw new Fault('unavailable', `there is no ${program} in the PATH of the agent`);
    const around = await this.#isolated.around(
      { ...task, user: '' },
      { pid_mode: '', ipc_mode: '', cap_add: [], cap_drop: [], work_dir: '' },
    );
    const network = machineNetwork(task, hostResolvers());
    const disks = new Disks(this.#root, task);
    const source = await sourceOf(task, this.#config);
    const image = imageOf(disks, source);
    const cores = coresIn(task.resources.cpusetCpus);
    const args = monitorArguments({
      accelerator,
      memoryMb: task.resources.memoryMb,
      cores: cores > 0 ? cores : Math.min(2, availableParallelism()),
      throwAway: image !== null,
      control: '/microvm.sock',
      card: network.arguments,
    });
    return {
      ...around,
      // the monitor itself needs nothing of the task; "/tmp" it takes for "/var/tmp"
      env: { PATH: '/usr/bin:/bin', TMPDIR: '/local' },
      withoutEnv: Object.keys(task.env).filter((name) => !['PATH', 'TMPDIR'].includes(name)),
      command: '/bin/sh',
      args: ['-c', withOutputs, 'sh', await this.#isolated.find(task, monitor), ...args],
      memoryOverheadMb: this.#config.memory_headroom,
      mounts: disks.mounts(await this.#kernelOf(task), image),
      ...(accelerator.name === 'kvm' ? { devices: [await kvmDevice(task, this.#isolated.host.uid)] } : {}),
    };
  }

  async ready({ id }: TaskConfig, { devices = [] }: CommandSpec, signal: AbortSignal): Promise<void> {
    const task = this.tasks.get(id)!;
    await makeDevices(devices);
    await this.#makeDisks(task, machineNetwork(task, hostResolvers()), signal);
  }

  async #accelerator(
    { accelerator: wanted }: TaskOptions,
    { resources, rehearsal }: TaskConfig,
    signal: AbortSignal,
  ): Promise<Accelerator> {
    if (!['auto', 'kvm', 'tcg'].includes(wanted))
      throw new Fault('invalid', `accelerator is "auto", "kvm" or "tcg", not ${JSON.stringify(wanted)}`);
    if (resources.memoryMb < leastMemoryMb)
      throw new Fault('invalid', `memory: a machine needs ${leastMemoryMb} MB at least, not ${resources.memoryMb}`);
    if (wanted === 'tcg') return { name: 'tcg' };
    const kernel = await findKernel(this.#config.kernel ?? '');
    // whether it works may still have to be tried, which is a start's to do
    const untried = kernel !== null && this.#isolated.host.proofs.get(proofKey(kernel)) === undefined;
    if (rehearsal !== undefined && untried) return { name: 'tcg' };
    const kvm = kernel === null ? noKvm('no kernel') : await this.#kvmFor(kernel, signal);
    if (kvm.ok) return { name: 'kvm', cpu: kvm.cpu };
    if (wanted === 'auto') return { name: 'tcg' };
    throw new Fault('unavailable', `accelerator "kvm" does not work here: ${kvm.evidence}`);
  }

  async #kernelOf(task: TaskConfig): Promise<string> {
    const { kernel: own } = task.config as TaskOptions;
    const kernel = own
      ? (await diskOf(task, this.#config, own, false)).hostPath
      : await findKernel(this.#config.kernel ?? '');
    if (kernel === null) throw new Fault('unavailable', 'this node has no kernel for machines');
    return kernel;
  }

  async #makeDisks(task: TaskConfig, network: MachineNetwork, signal: AbortSignal): Promise<void> {
    const options = task.config as TaskOptions;
    const kernel = await this.#kernelOf(task);
    const disks = new Disks(this.#root, task);
    await disks.make();
    try {
      const [run] = await all([
        makeRoot(disks, task, this.#config, signal),
        disks.writeFilesystem('local', task.directories.local, options.local_mb, signal),
        makeInitrd(kernel, network.card !== null).then((initrd) => disks.writeInitrd(initrd)),
      ]);
      const secrets = await secretFiles(task.directories.secrets);
      const { card, hostName, files } = network;
      await disks.writeStart({ ...run, card, hostName, files: [...files, ...secrets] });
    } catch (error) {
      await disks.remove();
      throw error;
    }
  }
}

/** As `Promise.all`, but nothing of it goes on when it fails. */
async function all<T extends readonly unknown[]>(works: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(works);
  return (await Promise.all(works)) as unknown as T;
}
