// Builds the native programs (native/README.md) to build/native. No compiler is no error: the TypeScript shim takes their place.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, 'native');
const ownTarget = join(root, 'build', 'native');
const programs = ['shim', 'verify', 'pause', 'mount', 'guest'];

const newest = (paths) => Math.max(...paths.map((path) => statSync(path).mtimeMs));
const sources = (folder, pattern) =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));

function compiler() {
  const wanted = process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'];
  return wanted.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

/**
 * Builds what is missing or older than its sources. Returns a sentence for each program that could not be built.
 * `cross`: another compiler and another place, for programs of another architecture.
 */
export function buildNative(cross = {}) {
  if (process.platform !== 'linux') return ['The native supervisor is for Linux: here the TypeScript one is used.'];
  const target = cross.target ?? ownTarget;
  const complaints = [];
  let cc = cross.cc;
  for (const program of programs) {
    const folder = join(native, program);
    const output = join(target, `drover-${program}`);
    const files = existsSync(folder) ? sources(folder, /\.c$/) : [];
    if (files.length === 0) continue;
    const inputs = [...files, ...sources(folder, /\.h$/), ...sources(native, /\.h$/)];
    if (existsSync(output) && statSync(output).mtimeMs >= newest(inputs)) continue;
    cc ??= compiler();
    if (cc === undefined) {
      return [
        'No C compiler (cc, gcc, clang) was found: tasks are supervised by the slower TypeScript program. Install one and build again, or set CC.',
      ];
    }
    mkdirSync(target, { recursive: true });
    const flags = [
      '-O2',
      '-static',
      '-std=gnu11',
      '-Wall',
      '-Wextra',
      '-fstack-protector-strong',
      '-D_FORTIFY_SOURCE=2',
    ];
    // Built beside and renamed, so that nobody runs half a program.
    const fresh = `${output}.${process.pid}`;
    const run = spawnSync(cc, [...flags, '-o', fresh, ...files], { encoding: 'utf8' });
    if (run.status === 0) renameSync(fresh, output);
    if (run.status !== 0)
      complaints.push(`${cc} could not build drover-${program}: ${run.stderr || run.error?.message}`);
    else if (run.stderr) process.stderr.write(run.stderr);
  }
  // what a copy of this package carries, wherever it is installed (npm packs `prebuilt`, not `build`)
  if (cross.target === undefined && complaints.length === 0) {
    const carried = join(root, 'prebuilt', `linux-${process.arch}`);
    mkdirSync(carried, { recursive: true });
    for (const program of programs) copyFresh(join(target, `drover-${program}`), join(carried, `drover-${program}`));
  }
  return complaints;
}

function copyFresh(from, to) {
  if (!existsSync(from) || (existsSync(to) && statSync(to).mtimeMs >= statSync(from).mtimeMs)) return;
  copyFileSync(from, `${to}.${process.pid}`);
  renameSync(`${to}.${process.pid}`, to);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const complaint of buildNative()) console.error(complaint);
}
