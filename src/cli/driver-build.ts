import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { messageOf } from '../lib/fault.ts';
import { locateNative } from '../supervise/locate.ts';
import { type Command, CommandError } from './command.ts';
import { type DriverFile, loadDriverFile } from './driver-file.ts';

export const command: Command = {
  usage: 'driver build [options] <file>',
  help: `Makes one executable file of a driver: the file, everything it imports, the kit, and the native supervisor and verifier. Put it into
an agent's plugin_dir (Drover's or Nomad's); the node needs Node.js ${'20.19'} or newer on the agent's PATH, and nothing else.

  drover driver build driver.js                         writes ./<name of the driver>
  drover driver build -o /opt/drover/plugins/ driver.js

An argument given to it (plugin "x" { args = ["/path"] }) is where it records its tasks; default /var/lib/drover/drivers/<name>.

Bundling is done by rolldown, which the driver's project or this program must have: npm install --save-dev rolldown`,
  flags: {
    o: { kind: 'string', value: '<path>', help: 'The file to write, or a directory. Default: the name of the driver.' },
    minify: { kind: 'bool', help: 'Shorter names, no white space.' },
  },
  client: false,
  complete: 'drivers',
  async run({ args, flags, terminal }) {
    const [word] = args;
    if (word === undefined || args.length > 1) throw new CommandError('This command takes one argument: <file>');
    const driver = await loadDriverFile(word);
    const target = outputOf(flags.string('o') ?? '.', driver);
    const code = await bundle(driver, flags.bool('minify'));
    // built beside and renamed: one that runs is never half written
    const fresh = `${target}.${process.pid}`;
    try {
      writeFileSync(fresh, code, { mode: 0o755 });
      chmodSync(fresh, 0o755);
      renameSync(fresh, target);
    } finally {
      rmSync(fresh, { force: true });
    }
    const { pluginName: name, version = '' } = driver.plugin;
    terminal.out(`${target}: driver ${name} ${version}, ${(statSync(target).size / 1e6).toFixed(1)} MB`);
    return 0;
  },
};

function outputOf(given: string, { path: source, plugin }: DriverFile): string {
  const path = resolve(given);
  const intoIt = given.endsWith('/') || (existsSync(path) && statSync(path).isDirectory());
  const target = intoIt ? join(path, plugin.pluginName) : path;
  const folder = dirname(target);
  if (!existsSync(folder)) throw new CommandError(`there is no directory ${folder} to write into`);
  if (!existsSync(target)) return target;
  if (!statSync(target).isFile()) throw new CommandError(`${target} is there and is no file`);
  if (realpathSync(target) === realpathSync(source))
    throw new CommandError(`${target} is the driver's own source: name another file with -o`);
  return target;
}

interface Bundler {
  rolldown(options: object): Promise<{
    generate(options: object): Promise<{ output: readonly { readonly code?: string }[] }>;
    close(): Promise<void>;
  }>;
}

const own = fileURLToPath(new URL('../', import.meta.url));
const inner = { entry: '\0driver-entry', programs: '\0driver-programs' };

async function bundle(driver: DriverFile, minify: boolean): Promise<string> {
  const { rolldown } = await bundler(driver.path);
  const virtual: Readonly<Record<string, () => string>> = {
    [inner.entry]: () => entryText(driver),
    [inner.programs]: () =>
      `import { carryPrograms } from 'drover/driver';\ncarryPrograms(${JSON.stringify(nativePrograms())});\n`,
  };
  try {
    const built = await rolldown({
      input: inner.entry,
      platform: 'node',
      logLevel: 'warn',
      resolve: { alias: { 'drover/driver': join(own, 'driver-kit/index.js') } },
      plugins: [
        {
          name: 'drover',
          resolveId: (id: string) => (Object.hasOwn(virtual, id) ? id : undefined),
          load: (id: string) => virtual[id]?.(),
        },
      ],
    });
    const options = { format: 'esm', banner: '#!/usr/bin/env node', codeSplitting: false, minify };
    const { output } = await built.generate(options);
    await built.close();
    return output[0]?.code ?? '';
  } catch (error) {
    throw new CommandError(`${driver.path} cannot be bundled: ${messageOf(error)}`);
  }
}

/** A file that serves by itself only has to be run after the programs are there. */
function entryText({ path, serves }: DriverFile): string {
  const programs = `import ${JSON.stringify(inner.programs)};\n`;
  if (serves) return `${programs}import ${JSON.stringify(path)};\n`;
  return `${programs}import { serve } from 'drover/driver';
import driver from ${JSON.stringify(path)};
await serve(driver, { stateDirectory: process.argv[2] ?? '' });
process.exit(process.exitCode ?? 0);
`;
}

/** Of every system that this program has them for. */
function nativePrograms(): Record<string, Record<string, string>> {
  const names = ['drover-shim', 'drover-verify'] as const;
  const found: Record<string, Record<string, string>> = {};
  const add = (system: string, paths: readonly (string | null)[]): void => {
    if (!paths.every((path) => path !== null && existsSync(path))) return;
    const texts = paths.map((path) => gzipSync(readFileSync(path as string), { level: 9 }).toString('base64'));
    found[system] = Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
  };
  const prebuilt = join(own, '../prebuilt');
  for (const system of existsSync(prebuilt) ? readdirSync(prebuilt) : [])
    add(
      system,
      names.map((name) => join(prebuilt, system, name)),
    );
  add(`${process.platform}-${process.arch}`, names.map(locateNative));
  if (Object.keys(found).length === 0)
    throw new CommandError(
      'this drover has no native supervisor to put into the driver: build it where there is a C compiler',
    );
  return found;
}

/** The project's own, else the one beside this program. */
async function bundler(path: string): Promise<Bundler> {
  for (const from of [path, fileURLToPath(import.meta.url)]) {
    let found: string;
    try {
      found = createRequire(from).resolve('rolldown');
    } catch {
      continue;
    }
    return (await import(pathToFileURL(found).href)) as Bundler;
  }
  throw new CommandError(
    `bundling needs rolldown, and neither ${dirname(path)} nor this program has it: npm install --save-dev rolldown`,
  );
}
