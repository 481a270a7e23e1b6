// What the README's two commands need before anything else: modules, a build, Debian packages. Only Node itself is assumed.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-files.mjs';

export const isRoot = process.getuid?.() === 0;

export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Runs a command with its output shown; exits with its code where it fails. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    say(`${command} ${args.join(' ')} ended with ${result.signal ?? result.status}`);
    process.exit(result.status ?? 1);
  }
}

export function found(program) {
  return (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/**
 * node_modules as the lock file says; nothing is asked of the network where it is there already. `npm ci` refuses a lock file that
 * lacks packages of other systems (a registry that does not carry them all makes npm write such ones): `npm install` does not.
 */
export function ensureModules() {
  // a link to somebody else's modules: npm would empty them first
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const stamp = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return;
  say('installing modules …');
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  const exact = spawnSync('npm', ['ci', ...quiet], { cwd: root, stdio: ['ignore', 'ignore', 'ignore'] });
  // a registry that lacks a foreign platform's optional package makes `npm ci` refuse; the lock file pins the versions all the same
  if (exact.status !== 0) run('npm', ['install', '--no-save', ...quiet]);
}

/** @param {{ program: string, package: string, why: string }[]} wanted */
export function ensurePackages(wanted) {
  const missing = wanted.filter(({ program }) => !found(program));
  if (missing.length === 0) return [];
  const names = [...new Set(missing.map((entry) => entry.package))];
  if (isRoot && found('apt-get')) {
    say(`installing Debian packages: ${names.join(' ')} …`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const quiet = { env, stdio: ['ignore', 'ignore', 2] };
    spawnSync('apt-get', ['update', '-qq'], quiet);
    withoutServices(() => spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], quiet));
  }
  const still = missing.filter(({ program }) => !found(program));
  for (const { program, package: name, why } of still) say(`without ${program} (Debian package ${name}): ${why}`);
  return still;
}

/**
 * Debian packages and what they need, fetched to build/packages/NAME and not installed: tests unpack them where they have a root of their own.
 * @param {{ name: string, packages: string[], why: string }[]} wanted
 */
export function ensureDownloads(wanted) {
  for (const { name, packages, why } of wanted) {
    const folder = join(root, 'build/packages', name);
    if (existsSync(join(folder, 'whole'))) continue;
    let got = false;
    if (isRoot && found('apt-get')) {
      say(`fetching Debian packages: ${packages.join(' ')} …`);
      mkdirSync(join(folder, 'partial'), { recursive: true });
      const options = ['-y', '-qq', '--no-install-recommends', '--download-only', '--reinstall'];
      const into = ['-o', `Dir::Cache::archives=${folder}`];
      got = spawnSync('apt-get', ['install', ...options, ...into, ...packages], { stdio: 'ignore' }).status === 0;
    }
    if (got) writeFileSync(join(folder, 'whole'), '');
    else say(`without the Debian packages ${packages.join(' ')}: ${why}`);
  }
}

/** Packages of daemons start them; the tests start their own, and the machine's are nobody's to start. */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(policy, { force: true });
  }
}

const compiler = {
  program: 'cc',
  package: 'gcc',
  why: 'no native supervisor is built; the TypeScript one takes its place, and the agent says so',
};
const libc = { program: 'cc', package: 'libc6-dev', why: 'no native supervisor is built' };

export function ensureCompiler() {
  if (['cc', 'gcc', 'clang'].some(found)) return true;
  return ensurePackages([compiler, libc]).length === 0;
}

/** Compiles what changed. tsc decides by itself what that is. */
export function build() {
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
  run(process.execPath, [join(root, 'scripts/lib/bundle.mjs')]);
  const native = join(root, 'scripts/build-native.mjs');
  if (existsSync(native)) run(process.execPath, [native]);
}
