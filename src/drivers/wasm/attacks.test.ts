// What a hostile module tries of WASI: in a task with both of its walls, in one where WASI's calls alone protect, and as a control where
// Node's WASI is given the host.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost } from '../../driver-kit/scratch-host.ts';
import { wasm } from './index.ts';
import { compileModule, lackingForModules } from './scratch-module.ts';

interface Attempt {
  readonly name: string;
  readonly outcome: string;
}

const never = new AbortController().signal;
const modules = mkdtempSync(join(tmpdir(), 'drover-wasm-attack-'));
const module = join(modules, 'attacks.wasm');
/** Node's WASI with all of the host: what protects is what is given, and that is everything. */
const bare = `import { readFileSync } from 'node:fs'; import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: ['attacks', ...process.argv.slice(3)], preopens: { '/': '/' } });
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));`;
const byVectors = 'memory of the process around it, by 500 million vectors';
/** Tried one by one, for they may end the process; and how it then ends in a task. */
const rough: Readonly<Record<string, number>> = {
  'a socket of the process around it': 0,
  'memory beyond its own, by a path': 134,
  'memory beyond its own, by poll_oneoff': 134,
  [byVectors]: 0,
  '300,000 clocks at once': 0,
  'a stack without end': 134,
  'memory without end': 0,
  'time without end': 124,
};
const crashes = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGABRT'];
const measured: Record<string, readonly Attempt[]> = {};

beforeAll(() => {
  chmodSync(modules, 0o755);
  if (lackingForModules.length > 0) return;
  compileModule(join(import.meta.dirname, 'attacks.c'), module);
  writeFileSync(join(modules, 'bare.mjs'), bare);
});
afterAll(() => rmSync(modules, { recursive: true, force: true }));

/** What the attacks find: links that lead out, a file beside the directory, and one in a directory that is to be read only. */
function plant(directory: string, readOnly: string): void {
  for (const path of [directory, readOnly]) mkdirSync(path, { recursive: true });
  writeFileSync(join(readOnly, 'kept'), 'kept\n', { mode: 0o666 });
  symlinkSync('/etc', join(directory, 'planted'));
  symlinkSync('/etc/passwd', join(directory, 'planted-file'));
  writeFileSync(join(dirname(directory), 'drover-wasm-outside'), 'outside\n');
  for (const path of [directory, dirname(directory), readOnly]) chmodSync(path, 0o777);
}

function untouched(directory: string, readOnly: string): void {
  expect(readdirSync(directory).sort()).toEqual(['planted', 'planted-file']);
  expect(readlinkSync(join(directory, 'planted'))).toBe('/etc');
  expect(readdirSync(readOnly)).toEqual(['kept']);
  expect(readFileSync(join(readOnly, 'kept'), 'utf8')).toBe('kept\n');
  expect(readFileSync(join(dirname(directory), 'drover-wasm-outside'), 'utf8')).toBe('outside\n');
}

const said = (text: string): readonly Attempt[] =>
  [...text.matchAll(/^(through|stopped) (.*)$/gm)].map(([, outcome, name]) => ({ name: name!, outcome: outcome! }));
const through = (attempts: readonly Attempt[]) =>
  attempts.filter(({ outcome }) => outcome !== 'stopped').map(({ name }) => name);

/** `crash`: what a signal says of an attack that told nothing. */
function told(name: string, text: string, signal: string): Attempt {
  return said(text)[0] ?? { name, outcome: crashes.includes(signal) ? `ended the process: ${signal}` : 'stopped' };
}

describe.skipIf(lackingForModules.length > 0)('a hostile module', { timeout: 120_000 }, () => {
  test('takes what it likes where Node’s WASI is given the host', () => {
    const own = join(modules, 'control/own');
    plant(own, join(own, 'read-only'));
    const run = (name: string) =>
      spawnSync(
        'prlimit',
        [
          '--data=2000000000',
          process.execPath,
          '--no-warnings',
          join(modules, 'bare.mjs'),
          module,
          `${own.slice(1)}/`,
          name,
        ],
        {
          encoding: 'utf8',
          timeout: name === 'time without end' ? 2_000 : 60_000,
          killSignal: 'SIGKILL',
        },
      );
    const tried = [
      ...said(run('').stdout),
      ...Object.keys(rough).map((name) => {
        const { stdout, signal } = run(name);
        return name === 'time without end' ? { name, outcome: 'through' } : told(name, stdout, signal ?? '');
      }),
    ];
    measured['Node’s WASI, given the host'] = tried;
    expect(through(tried)).toEqual([
      'a file of the host',
      'a file of the host by ..',
      'a file of the host by /proc',
      'a file of the host by a link that it made',
      'a file of the host by a link that was there',
      'a file of the host by a NUL in its path',
      'a file of the host by a link in place of an open directory',
      'a second name for a file of the host',
      'a file of the host moved in',
      'the size of a file of the host',
      'where a link of the host leads',
      'a directory of the host',
      'a new directory of the host',
      'a link to elsewhere by ..',
      'a change below a read-only directory',
      'a change below a read-only directory under another number',
      'a socket of the process around it',
      byVectors,
      'memory without end',
      'time without end',
    ]);
  });

  test.each([
    { walls: 'a task with both walls', prefer: 'container' },
    { walls: 'a process that sees the host', prefer: 'process' },
  ])('gets nothing in $walls', async ({ walls, prefer }) => {
    const host = await openScratchHost({ isolation: true });
    const driver = openDriver(wasm, { module_paths: [modules], isolation: { prefer } }, host.deps);
    const run = async (name: string) => {
      const of = await host.task(driver, {
        module: 'attacks.wasm',
        args: ['', name],
        timeout: name === 'time without end' ? '1s' : '',
        dir: [
          { path: 'local/own', guest: '/data' },
          { path: 'local/kept', guest: '/kept', read_only: true },
        ],
      });
      const own = join(of.directories.local, 'own');
      plant(own, join(of.directories.local, 'kept'));
      await driver.engine.start(of, never);
      const exit = await driver.engine.wait(of.id, never);
      const text = readFileSync(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');
      untouched(own, join(of.directories.local, 'kept'));
      await driver.engine.destroy(of.id, { force: false }, never);
      return { text, exit };
    };
    try {
      const gentle = await run('');
      expect(gentle.exit, `ended after ${said(gentle.text).at(-1)?.name}`).toMatchObject({ exitCode: 0, signal: 0 });
      const tried = [...said(gentle.text)];
      for (const [name, exitCode] of Object.entries(rough)) {
        const { text, exit } = await run(name);
        tried.push(told(name, text, exit.signal === 11 ? 'SIGSEGV' : ''));
        expect(exit, name).toMatchObject({ exitCode });
      }
      measured[walls] = tried;
      expect(tried).toHaveLength(34);
      expect(through(tried)).toEqual([]);
    } finally {
      await driver.engine.close();
      await host.close();
    }
  });

  test('is told of in docs/isolation-measured.md', () => {
    const folder = join(import.meta.dirname, '../../../build/attacks');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'module.json'), JSON.stringify({ module: measured }, null, 1));
    expect(Object.keys(measured)).toHaveLength(3);
  });
});
