// The whole program in few files (dist/bundle), made of what tsc made: Node reads them in half the time that it takes for nearly a thousand modules.
// And the host of wasm modules in one, which a sandbox can be shown. A program of its own, run by the build; ends at once where nothing changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './source-files.mjs';

const dist = join(root, 'dist');
const target = join(dist, 'bundle');
const wasmHost = join(dist, 'drivers/wasm/host.cjs');
/** The program, and what users' modules import: they have to meet the program's own copies. */
const entries = [
  'cli/main',
  'job/module-hooks',
  ...['driver-kit', 'job', 'hcl', 'jobspec', 'api-client'].map((folder) => `${folder}/index`),
];
/** They look for what is theirs beside themselves. */
const apart = ['lmdb', 'amaro'];
/** Whose neighbours are the bundle's own. */
const amongBundled = ['cli/driver-file.js', 'cli/import-module.js', 'job/module-hooks.js'];

const stampFile = join(root, 'build/.bundled');

function stampOf() {
  const compiled = readdirSync(dist, { recursive: true })
    .filter((name) => /\.js$/.test(name) && !/^(bundle|\.bundle-)/.test(name))
    .map((name) => join(dist, name));
  const hash = createHash('sha256');
  // the compiler's own notes: newer ones say that the bundle is old (bin/drover.js)
  const others = [join(dist, '.tsbuildinfo'), import.meta.filename, join(root, 'package-lock.json')];
  for (const path of [...compiled, ...others]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${relative(root, path)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** A module goes on finding its neighbours on the disk where it was: programs that it starts, the package's own files. */
const places = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(`${dist}/`) || !code.includes('import.meta.url')) return null;
    const name = relative(dist, id);
    const place = amongBundled.includes(name) ? name : `../${name}`;
    const moved = `new URL(${JSON.stringify(place)}, import.meta.bundle).href`;
    return { code: code.replaceAll('import.meta.url', moved), map: null };
  },
  // chunks lie side by side, entries a folder deeper
  renderChunk(code, { fileName }) {
    const up = '../'.repeat(fileName.split('/').length - 1);
    const base = up === '' ? 'import.meta.url' : `new URL('${up}', import.meta.url)`;
    return { code: code.replaceAll('import.meta.bundle', base), map: null };
  },
};

/** Text of the packages that went in, as their licences ask for. */
function licences(chunks) {
  const modules = chunks.flatMap(({ moduleIds = [] }) => moduleIds);
  const folders = modules.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]).filter(Boolean);
  const texts = [...new Set(folders)].sort().map((folder) => {
    const names = readdirSync(folder).filter((name) => /^(LICEN[CS]E|NOTICE)/i.test(name));
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const own = names.map((each) => readFileSync(join(folder, each), 'utf8'));
    return [`${name} ${version} (${license})`, ...own].join('\n\n');
  });
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

async function bundleProgram(rolldown) {
  const fresh = join(dist, `.bundle-${process.pid}`);
  const input = Object.fromEntries(entries.map((name) => [name, join(dist, `${name}.js`)]));
  const made = await rolldown({ input, platform: 'node', external: apart, plugins: [places], logLevel: 'warn' });
  const names = { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' };
  const maps = { sourcemap: true, sourcemapExcludeSources: true };
  const { output } = await made.write({ dir: fresh, format: 'esm', ...names, ...maps });
  await made.close();
  writeFileSync(join(fresh, 'LICENSES'), licences(output));
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}

/** No module of ECMAScript: Node begins with such a one a third later. */
async function bundleWasmHost(rolldown) {
  const made = await rolldown({ input: join(dist, 'drivers/wasm/host/main.js'), platform: 'node', logLevel: 'warn' });
  await made.write({ file: wasmHost, format: 'cjs' });
  await made.close();
}

const stamp = stampOf();
const isMade =
  [target, wasmHost].every(existsSync) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
if (!isMade) {
  rmSync(stampFile, { force: true });
  const { rolldown } = await import('rolldown');
  await bundleProgram(rolldown);
  await bundleWasmHost(rolldown);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}
