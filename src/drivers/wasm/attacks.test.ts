// What a hostile module tries of WASI, in a task; and as a control the same module where the host is given to it.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { wasm } from './index.ts';
import { compileModule, lackingForModules } from './scratch-module.ts';

const never = new AbortController().signal;
const modules = mkdtempSync(join(tmpdir(), 'drover-wasm-attack-'));
const module = join(modules, 'attacks.wasm');
/** Node's WASI with all of the host: what protects is what is given, and that is everything. */
const bare = `import { readFileSync } from 'node:fs'; import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: ['attacks', 'without sockets'], preopens: { '/': '/' } });
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));`;
const files = ['a file of the host', 'a file of the host by ..', 'a file of the host by /proc'];
const shown = [...files, 'a directory of the host', 'a new directory of the host'];
let host: ScratchHost;

beforeAll(async () => {
  chmodSync(modules, 0o755);
  host = await openScratchHost({ isolation: true });
  if (lackingForModules.length > 0) return;
  compileModule(join(import.meta.dirname, 'attacks.c'), module);
  writeFileSync(join(modules, 'bare.mjs'), bare);
});
afterAll(async () => {
  await host.close();
  rmSync(modules, { recursive: true, force: true });
});

const through = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => /^through (.*)/.exec(line)?.[1] ?? []);

describe.skipIf(lackingForModules.length > 0)('a hostile module', () => {
  test('gets none of nine things of WASI that it tries, of which five succeed where the host is given to it', async () => {
    const control = execFileSync(process.execPath, ['--no-warnings', join(modules, 'bare.mjs'), module], {
      encoding: 'utf8',
    });
    expect(through(control)).toEqual(shown);
    const driver = openDriver(wasm, { module_paths: [modules] }, host.deps);
    const of = await host.task(driver, { module: 'attacks.wasm', dir: [{ path: 'local', guest: '/data' }] });
    await driver.engine.start(of, never);
    const exit = await driver.engine.wait(of.id, never);
    const said = readFileSync(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');
    expect(exit).toMatchObject({ exitCode: 0, signal: 0 });
    await driver.engine.destroy(of.id, { force: false }, never);
    await driver.engine.close();
    expect(said.match(/^(through|stopped) /gm)).toHaveLength(9);
    expect(through(said)).toEqual([]);
  });
});
