/** `wasm`: runs a WASI module in a process of its own, which is isolated as a command of `exec` is. */
import { join, posix } from 'node:path';
import type {
  CommandDriver,
  CommandSpec,
  DriverInfo,
  Fingerprint,
  TaskConfig,
  TaskExit,
} from '../../driver/contract.ts';
import { commandEngine } from '../../driver-kit/command-engine.ts';
import { definePlugin } from '../../driver-kit/driver-plugin.ts';
import { fingerprints } from '../../driver-kit/fingerprints.ts';
import { IsolatedCommand } from '../../driver-kit/isolated-command.ts';
import { openBeneath, writeBeneath } from '../../lib/node/safe-path.ts';
import type { HostDirectory, HostPlan } from './host/plan.ts';
import { filesInSandbox, filesOnHost, hostFilesAreThere } from './host-files.ts';
import { endedByInterrupt } from './interrupt.ts';
import { moduleOf, timeoutMsOf, type View, viewOf } from './module-view.ts';
import { configSchema, type PluginOptions, type TaskOptions, taskSchema } from './options.ts';

export const wasm = definePlugin({
  pluginName: 'wasm',
  configSchema,
  taskSchema,
  create: (config, deps) =>
    endedByInterrupt(commandEngine(new Wasm(config, new IsolatedCommand('wasm', config, deps)), deps)),
});

/** What of a task's variables would change the process around the module, and not the module. */
const ofTheProcess = /^(?:NODE|LD|UV|OPENSSL|SSL)_|^GLIBC_TUNABLES$/;
/** In the task's directory, which is the root of a sandbox. */
const endFile = '.wasm-end';
const longestReason = 500;
const pagesInMb = 16;
/** As far as addresses of 32 bits reach. */
const mostPages = 65_536;

class Wasm implements CommandDriver {
  readonly info: DriverInfo;
  readonly #config: PluginOptions;
  readonly #isolated: IsolatedCommand;

  constructor(config: PluginOptions, isolated: IsolatedCommand) {
    this.#config = config;
    this.#isolated = isolated;
    this.info = isolated.info('0.1.0');
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(), signal);
  }

  async #look(): Promise<Fingerprint> {
    if (!hostFilesAreThere())
      return { health: 'undetected', description: 'the program around modules is not built', attributes: {} };
    return this.#isolated.healthy({
      'driver.wasm.engine': `V8 ${process.versions.v8}`,
      'driver.wasm.wasi': 'preview1',
    });
  }

  async plan(task: TaskConfig): Promise<CommandSpec> {
    const options = task.config as TaskOptions;
    const { sandboxed, host } = this.#isolated;
    const view = viewOf(task, sandboxed);
    const module = await moduleOf(task, this.#config.module_paths, options.module, sandboxed);
    const around = await this.#isolated.around(task, {
      pid_mode: '',
      ipc_mode: '',
      cap_add: [],
      cap_drop: [],
      work_dir: '',
    });
    const files = sandboxed ? filesInSandbox(host.system) : filesOnHost();
    const plan: HostPlan = {
      module: module.path,
      args: [options.module, ...options.args],
      dirs: await Promise.all(options.dir.map((each) => directoryOf(each, view))),
      timeoutMs: timeoutMsOf(options.timeout),
      memoryPages: memoryPagesOf(task.resources),
      endFile: join(sandboxed ? '/' : task.directories.task, endFile),
    };
    return {
      ...around,
      env: {},
      withoutEnv: Object.keys(task.env).filter((name) => ofTheProcess.test(name)),
      command: files.node,
      args: [files.script, JSON.stringify(plan)],
      memoryOverheadMb: this.#config.memory_headroom,
      mounts: sandboxed ? [...files.mounts, ...module.mounts] : [],
    };
  }

  async ready({ directories }: TaskConfig): Promise<void> {
    await writeBeneath(directories.task, endFile, Buffer.of(), 0o666);
  }

  /** What the process said of its end, beside its code. */
  async reason({ directories }: TaskConfig, exit: TaskExit): Promise<string | null> {
    if (exit.exitCode === 0 || exit.signal !== 0) return null;
    const file = await openBeneath(directories.task, endFile).catch(() => null);
    if (file === null) return null;
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(longestReason), 0, longestReason, 0);
      return buffer.toString('utf8', 0, bytesRead) || null;
    } finally {
      await file.close();
    }
  }
}

/** Where nothing else bounds the process around it, the module's memory is what its job says all the same. */
function memoryPagesOf({ memoryMb, memoryMaxMb }: TaskConfig['resources']): number {
  return memoryMaxMb < 0 ? 0 : Math.min(Math.max(memoryMb, memoryMaxMb) * pagesInMb, mostPages);
}

async function directoryOf(dir: TaskOptions['dir'][number], view: View): Promise<HostDirectory> {
  const { path, guest, read_only: readOnly } = dir;
  return { guest: guest || posix.join('/', path), path: await view('dir', path), readOnly };
}
