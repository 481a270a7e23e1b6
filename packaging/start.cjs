// The main of the packaged executable. Node's single-executable form runs one CommonJS text that can import nothing but Node's own
// modules; the program is an archive beside it: unpacked once for each version, then imported from there.
'use strict';
const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');
const sea = require('node:sea');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');
const { gunzipSync } = require('node:zlib');

const own = process.getuid();

/** Where programs lie: root's own is used by everybody who may read it. */
function places(name) {
  const given = process.env.DROVER_PROGRAM_DIR;
  if (given) return [path.resolve(given, name)];
  const system = path.join('/var/lib/drover/program', name);
  if (own === 0) return [system];
  const cache = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'));
  return [system, path.join(cache || path.join(os.tmpdir(), `drover-${own}`), 'drover', name)];
}

/** Nobody but root and this user may have put anything there. */
function trusted(directory) {
  const stat = fs.lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && (stat.uid === own || stat.uid === 0) && (stat.mode & 0o022) === 0;
}

/** Node's own recursive way never ends where a directory takes none, as `/proc` does. */
function makeDirectories(directory) {
  if (fs.existsSync(directory)) return;
  makeDirectories(path.dirname(directory));
  try {
    fs.mkdirSync(directory, { mode: 0o755 });
  } catch (error) {
    // another first start's is as good
    if (error.code !== 'EEXIST') throw error;
  }
}

function unpack(directory) {
  const parent = path.dirname(directory);
  makeDirectories(parent);
  const parentStat = fs.statSync(parent);
  if ((parentStat.uid !== own && parentStat.uid !== 0) || (parentStat.mode & 0o022) !== 0)
    throw new Error(`${parent} may be written by others: set DROVER_PROGRAM_DIR to a directory of this user's own`);
  const fresh = fs.mkdtempSync(path.join(parent, '.unpack-'));
  try {
    const bytes = gunzipSync(Buffer.from(sea.getRawAsset('archive')));
    const length = bytes.readUInt32LE(0);
    const index = JSON.parse(bytes.toString('utf8', 4, 4 + length));
    let at = 4 + length;
    for (const [name, size, mode] of index) {
      const file = path.join(fresh, name);
      makeDirectories(path.dirname(file));
      fs.writeFileSync(file, bytes.subarray(at, at + size), { mode });
      fs.chmodSync(file, mode);
      at += size;
    }
    fs.chmodSync(fresh, 0o755);
    fs.renameSync(fresh, directory);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true, force: true });
    // two first starts at once: the other one's is as good
    if (!trusted(directory)) throw error;
  }
}

function locate() {
  const name = sea.getAsset('name', 'utf8');
  const candidates = places(name);
  const found = candidates.find((each) => trusted(each));
  if (found !== undefined) return found;
  const target = candidates.at(-1);
  try {
    unpack(target);
  } catch (error) {
    process.stderr.write(
      `drover: its program cannot be unpacked to ${target}: ${error.message}; set DROVER_PROGRAM_DIR to a directory that can be written\n`,
    );
    process.exit(1);
  }
  return target;
}

// the program starts scripts of its own as processes, by `process.execPath` and a path: this executable is their Node too. They may get
// no environment, so the place is told by the path alone.
const script = process.argv[2] ?? '';
const place = /^(\/.+)\/dist\/[\w/-]+\.c?js$/.exec(script)?.[1] ?? '';
const isOwnScript = path.basename(place) === sea.getAsset('name', 'utf8') && trusted(place);
if (isOwnScript) process.argv.splice(1, 1);
const main = isOwnScript ? script : path.join(locate(), 'dist/bundle/cli/main.js');
if (main.endsWith('.cjs')) createRequire(main)(main);
else importModule(pathToFileURL(main).href);

function importModule(url) {
  // the one warning of this way in is not the user's concern
  const { emitWarning } = process;
  process.emitWarning = () => {};
  const load = new vm.Script('(url) => import(url)', {
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext();
  const loaded = load(url);
  process.emitWarning = emitWarning;
  loaded.catch((error) => {
    process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  });
}
