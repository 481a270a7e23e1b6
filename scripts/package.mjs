#!/usr/bin/env node
// npm run package: one executable with Node and the whole program inside, and its systemd unit, in build/package.
//   node scripts/package.mjs [--node PATH]   another Node of this architecture (20.19 or newer), e.g. one built for older systems
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, ensureCompiler, ensureModules, found, say } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';

const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const target = join(root, 'build/package');
const at = process.argv.indexOf('--node');
const node = at > 0 ? process.argv[at + 1] : process.execPath;

function must(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64e6,
    ...options,
  });
  if (status === 0) return stdout;
  say(`${command} ${args.join(' ')} ended with ${status ?? error}:\n${stderr}`);
  process.exit(1);
}

/** [name in the archive, path on disk], sorted: the same inputs give the same archive. */
function contents() {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const own = ['package.json', 'README.md', 'LICENSE', ...files]
    .flatMap((name) => [...allBelow(join(root, name))])
    .map((path) => [relative(root, path), path])
    .filter(([name]) => !/^prebuilt\/|^native\/|\.map$/.test(name));
  const native = ['drover-shim', 'drover-verify', 'drover-pause', 'drover-mount', 'drover-guest'].map((name) => [
    `prebuilt/linux-${process.arch}/${name}`,
    join(root, 'build/native', name),
  ]);
  const modules = must('npm', ['ls', '--omit=dev', '--all', '--parseable'])
    .split('\n')
    .slice(1)
    .filter((folder) => folder !== '' && !folder.includes('/node_modules/@types/'))
    .flatMap((folder) => [...filesBelow(folder)])
    .map((path) => [relative(root, path), path]);
  return [...own, ...native, ...modules].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** As npm packs what package.json lists, which takes it four seconds to say. Itself, where it is a file. */
function* allBelow(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) yield path;
  for (const name of stat?.isDirectory() ? readdirSync(path) : []) yield* allBelow(join(path, name));
}

/** What runs, and its licence: no types, maps, C sources, or builds for other systems. */
function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* filesBelow(path);
    else if (/\.[cm]?js$|\.json$|\.wasm$|^LICEN[CS]E/i.test(entry.name) || /^(?!.*musl).*\.node$/.test(entry.name))
      yield path;
  }
}

function archiveOf(files) {
  const parts = files.map(([name, path]) => ({
    name,
    bytes: readFileSync(path),
    mode: statSync(path).mode & 0o111 ? 0o755 : 0o644,
  }));
  const index = Buffer.from(JSON.stringify(parts.map(({ name, bytes, mode }) => [name, bytes.length, mode])));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(index.length);
  return gzipSync(Buffer.concat([length, index, ...parts.map(({ bytes }) => bytes)]), { level: 9 });
}

/** `"GLIBC_2.34"`: of the versions with this prefix that programs and libraries are linked with. */
function newestSymbol(paths, prefix) {
  const pattern = new RegExp(`\\b${prefix.replaceAll('.', '\\.')}(\\d+)\\0`, 'g');
  const numbers = paths.flatMap((path) =>
    [...readFileSync(path, 'latin1').matchAll(pattern)].map(([, number]) => Number(number)),
  );
  return `${prefix}${Math.max(0, ...numbers)}`;
}

const stampFile = join(target, '.made-of');
const readStamp = () => (existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '');

/** Of everything that goes into the executable: made once, whoever asks for it. */
function stampOf(files) {
  const hash = createHash('sha256');
  const others = ['scripts/package.mjs', 'packaging/start.cjs', 'packaging/drover.service'].map((name) =>
    join(root, name),
  );
  for (const path of [...files.map(([, each]) => each), ...others, node]) {
    const content = readFileSync(path);
    hash.update(`${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function main() {
  if (process.platform !== 'linux') {
    say('the package is made on Linux, for Linux');
    process.exit(1);
  }
  ensureModules();
  ensureCompiler();
  build();
  const files = contents();
  const stamp = stampOf(files);
  // Node's builds ask for less than the native modules beside it
  const native = files.map(([, path]) => path).filter((path) => path.endsWith('.node'));
  const [glibc, glibcxx] = ['GLIBC_2.', 'GLIBCXX_3.4.'].map((prefix) => newestSymbol([node, ...native], prefix));
  say(
    `it runs where there is a glibc of ${glibc.slice('GLIBC_'.length)} or newer, and a libstdc++ that has ${glibcxx}`,
  );
  if (existsSync(join(target, 'drover')) && readStamp() === stamp) {
    say(`${join(target, 'drover')}: made of the same files already`);
    return;
  }
  rmSync(stampFile, { force: true });
  const scratch = mkdtempSync(join(tmpdir(), 'drover-package-'));
  const archive = archiveOf(files);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(scratch, 'archive'), archive);
  writeFileSync(join(scratch, 'name'), `${version}-${createHash('sha256').update(archive).digest('hex').slice(0, 16)}`);
  const config = {
    main: join(root, 'packaging/start.cjs'),
    output: join(scratch, 'blob'),
    disableExperimentalSEAWarning: true,
    assets: { archive: join(scratch, 'archive'), name: join(scratch, 'name') },
  };
  writeFileSync(join(scratch, 'sea.json'), JSON.stringify(config));
  must(node, ['--experimental-sea-config', join(scratch, 'sea.json')]);
  const program = join(scratch, 'drover');
  copyFileSync(node, program);
  chmodSync(program, 0o755);
  if (found('strip')) must('strip', [program]);
  const inject = join(root, 'node_modules/postject/dist/cli.js');
  must(process.execPath, [inject, program, 'NODE_SEA_BLOB', join(scratch, 'blob'), '--sentinel-fuse', fuse]);
  mkdirSync(target, { recursive: true });
  // built beside and renamed: a running one is never half written
  copyFileSync(program, join(target, `.drover.${process.pid}`));
  chmodSync(join(target, `.drover.${process.pid}`), 0o755);
  renameSync(join(target, `.drover.${process.pid}`), join(target, 'drover'));
  copyFileSync(join(root, 'packaging/drover.service'), join(target, 'drover.service'));
  rmSync(scratch, { recursive: true, force: true });
  writeFileSync(stampFile, stamp);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  say(
    `${join(target, 'drover')}: ${megabytes(statSync(join(target, 'drover')).size)} (the program in it ${megabytes(archive.length)})`,
  );
}

main();
