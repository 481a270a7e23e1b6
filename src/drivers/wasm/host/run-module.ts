/** Reads, checks and runs the module. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { guardedCalls } from './guarded-calls.ts';
import { exposed } from './path-check.ts';
import { exitCodes, type HostPlan, type ModuleEnd } from './plan.ts';
import { type WasmInstance, type WasmModule, webAssembly } from './webassembly.ts';

const versions = { wasi_snapshot_preview1: 'preview1', wasi_unstable: 'unstable' } as const;
type Abi = keyof typeof versions;

class NotRunnable extends Error {}

export function runModule(plan: HostPlan): ModuleEnd {
  let module: WasmModule;
  let abi: Abi;
  // the engine reads it when a memory is made
  if (plan.memoryPages > 0)
    process.getBuiltinModule('node:v8').setFlagsFromString(`--wasm-max-mem-pages=${plan.memoryPages}`);
  try {
    module = compiled(plan.module);
    abi = abiOf(module);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { code: exitCodes.notFound, message: `module ${plan.module} is not there` };
    return { code: exitCodes.notRunnable, message: `module ${plan.module}: ${message}` };
  }
  const missing = plan.dirs.find(({ path }) => !isDirectory(path));
  if (missing !== undefined) {
    const message = `dir ${missing.guest}: ${missing.path} is no directory, or not there: it has to be made before the task begins`;
    return { code: exitCodes.notRunnable, message };
  }
  const nested = exposed(plan.dirs.map((dir) => ({ ...dir, path: realpathSync(dir.path) })));
  if (nested !== null) {
    const [inner, outer] = nested;
    const message = `dir ${inner.guest} is read_only, but lies in ${outer.guest}, which is not: make both so, or put them side by side`;
    return { code: exitCodes.notRunnable, message };
  }
  // only now: Node warns of it where it is loaded
  process.emitWarning = () => {};
  const { WASI } = process.getBuiltinModule('node:wasi');
  const wasi = new WASI({
    version: versions[abi],
    args: [...plan.args],
    env: process.env,
    preopens: Object.fromEntries(plan.dirs.map(({ guest, path }) => [guest, path])),
    returnOnExit: true,
  });
  let instance: WasmInstance | null = null;
  const memory = () => new DataView(instance!.exports.memory!.buffer);
  try {
    instance = new webAssembly.Instance(module, { [abi]: guardedCalls(wasi, plan.dirs, memory) });
    return { code: wasi.start(instance), message: null };
  } catch (error) {
    if (instance === null && error instanceof RangeError) {
      const has = plan.memoryPages === 0 ? 'there is' : `the task's ${plan.memoryPages / 16} MB`;
      const message = `module ${plan.module}: begins with more memory than ${has}: raise resources { memory }`;
      return { code: exitCodes.notRunnable, message };
    }
    return { code: exitCodes.trap, message: `trap: ${(error as Error).message}` };
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function compiled(path: string): WasmModule {
  const bytes = readFileSync(path);
  // "\0asm", a version of two bytes, a layer of two bytes
  if (bytes.length < 8 || bytes.readUInt32LE(0) !== 0x6d736100) throw new NotRunnable('is no WebAssembly');
  if (bytes.readUInt16LE(6) !== 0)
    throw new NotRunnable('is a component (preview 2); build it for wasm32-wasip1 or wasm32-wasi');
  return new webAssembly.Module(bytes);
}

function abiOf(module: WasmModule): Abi {
  const imports = webAssembly.Module.imports(module);
  const foreign = imports.find((each) => !Object.hasOwn(versions, each.module) || each.kind !== 'function');
  if (foreign !== undefined)
    throw new NotRunnable(`wants ${foreign.kind} ${foreign.module}.${foreign.name}, which WASI preview 1 has not`);
  const exports = webAssembly.Module.exports(module);
  const has = (name: string, kind: string) => exports.some((each) => each.name === name && each.kind === kind);
  if (!has('_start', 'function'))
    throw new NotRunnable('has no _start: it is a library or a reactor, and not a command');
  if (!has('memory', 'memory')) throw new NotRunnable('exports no memory');
  return imports.some((each) => each.module === 'wasi_unstable') ? 'wasi_unstable' : 'wasi_snapshot_preview1';
}
