// Builds the native programs (native/README.md) to build/native. No compiler is no error: the TypeScript shim takes their place.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const thisFile = fileURLToPath(import.meta.url);
const root = join(dirname(thisFile), '..');
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

const common = ['-O2', '-std=gnu11', '-Wall', '-Wextra'];

/**
 * A program with a `bare.c` has a way in that runs without the C library's start (why: there). What that way runs, every file but main.c, becomes
 * one object that shows its two ways in alone and needs nothing of the library that needs its start. Where that cannot be made, main.c goes there.
 */
function withBare(cc, files, object) {
  const [bare] = files.filter((file) => basename(file) === 'bare.c');
  const nothing = { inputs: files.filter((file) => file !== bare), remove: () => {} };
  if (bare === undefined) return nothing;
  const ran = (program, args) => spawnSync(program, args, { encoding: 'utf8' });
  const toolOf = (name) => ran(cc, [`-print-prog-name=${name}`]).stdout?.trim() || name;
  if (!/^x86_64/.test(ran(cc, ['-dumpmachine']).stdout ?? '')) return nothing;
  const alone = ['-ffreestanding', '-fno-stack-protector', '-U_FORTIFY_SOURCE', '-fno-tree-loop-distribute-patterns'];
  const inner = files.filter((file) => basename(file) !== 'main.c');
  const made = ran(cc, [...common, ...alone, '-r', '-nostdlib', '-o', object, ...inner]);
  const needs = ran(toolOf('nm'), ['-u', object]).stdout?.match(/\w+$/gm)?.sort().join(' ');
  const seen = ['drover_start', 'verify_fd'].map((name) => `--keep-global-symbol=${name}`);
  const hidden = ran(toolOf('objcopy'), [...seen, object]);
  const remove = () => rmSync(object, { force: true });
  if (made.status === 0 && needs === '_start strerrordesc_np' && hidden.status === 0)
    return { inputs: ['-Wl,-e,drover_start', join(dirname(bare), 'main.c'), object], remove };
  remove();
  process.stderr.write(
    `drover-verify starts with the C library: ${made.stderr || hidden.stderr || `needs ${needs}`}\n`,
  );
  return nothing;
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
    const inputs = [...files, ...sources(folder, /\.h$/), ...sources(native, /\.h$/), thisFile];
    if (existsSync(output) && statSync(output).mtimeMs >= newest(inputs)) continue;
    cc ??= compiler();
    if (cc === undefined) {
      return [
        'No C compiler (cc, gcc, clang) was found: tasks are supervised by the slower TypeScript program. Install one and build again, or set CC.',
      ];
    }
    mkdirSync(target, { recursive: true });
    const flags = ['-static', ...common, '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2'];
    // Built beside and renamed, so that nobody runs half a program.
    const fresh = `${output}.${process.pid}`;
    const { inputs: parts, remove } = withBare(cc, files, `${fresh}.o`);
    const run = spawnSync(cc, [...flags, '-o', fresh, ...parts], { encoding: 'utf8' });
    remove();
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

if (process.argv[1] === thisFile) {
  for (const complaint of buildNative()) console.error(complaint);
}
