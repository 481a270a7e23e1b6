import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectories } from '../lib/node/directories.ts';
import { takes } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { driverProject } from './driver-template.ts';

export const command: Command = {
  usage: 'driver init [options] <name>',
  help: `Writes a package for a new task driver into the directory <name>: the driver, its tests, an example job, the agent's
configuration, and a workflow that runs the tests. Everything in it works as it is:

  drover driver init greeter
  cd greeter && npm install && npm test && npm run check

Without -engine the driver says which program to run, and everything else is done for it.`,
  flags: {
    engine: {
      kind: 'bool',
      help: 'A driver of an engine (of containers, of machines, a remote service), with one hook for each thing that the engine is asked.',
    },
    sdk: {
      kind: 'string',
      value: '<version>',
      help: 'What the package depends on, as npm reads it: a version, or file: and a path. Default: the drover that runs this command.',
    },
    dir: { kind: 'string', value: '<path>', help: 'The directory to write. Default: <name>.' },
  },
  client: false,
  async run(call) {
    takes(call, 'driver init', 'This command takes one argument: <name>', 1);
    const [name = ''] = call.args;
    if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(name))
      throw new CommandError(`a driver's name is small letters, digits, "_" and "-", not ${JSON.stringify(name)}`);
    const given = call.flags.string('dir') ?? name;
    const folder = resolve(given);
    if (existsSync(folder) && !statSync(folder).isDirectory())
      throw new CommandError(`${given} is there and is no directory: name another with -dir`);
    if (existsSync(folder) && readdirSync(folder).length > 0)
      throw new CommandError(`${given} is there and is not empty: name another with -dir`);
    const files = driverProject({
      name,
      sdk: call.flags.string('sdk') || `file:${root}`,
      bundler: versionOfBundler(),
      engine: call.flags.bool('engine'),
    });
    for (const [path, text] of Object.entries(files)) {
      makeDirectories(dirname(join(folder, path)));
      writeFileSync(join(folder, path), text, { flag: 'wx', mode: path === 'plugin.js' ? 0o755 : 0o644 });
    }
    call.terminal.out(
      `${given}: ${Object.keys(files).length} files\n\n  cd ${given}\n  npm install\n  npm test\n  npm run dev     # an agent with the driver`,
    );
    return 0;
  },
};

const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** The one this program was made with. */
function versionOfBundler(): string {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly devDependencies?: Readonly<Record<string, string>>;
  };
  return devDependencies?.['rolldown'] ?? 'latest';
}
