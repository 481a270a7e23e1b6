import { builtInNames } from '../agent/built-in-drivers.ts';
import { builtIn } from '../agent/serve-built-in.ts';
import { jsonSchemaOf } from '../driver/config-json-schema.ts';
import { exampleBody, optionsPage } from '../driver/config-page.ts';
import type { EngineDriver } from '../driver/contract.ts';
import { type DriverPlugin, openDriver } from '../driver-kit/driver-plugin.ts';
import { openScratchHost } from '../driver-kit/scratch-host.ts';
import { isFault } from '../lib/fault.ts';
import { type Command, CommandError } from './command.ts';
import { isDriverFile, loadDriverFile } from './driver-file.ts';

export const command: Command = {
  usage: 'driver docs [options] <file|name>',
  help: `Writes the page of a driver out of its schemas: what it can do, the options of the operator's plugin block and of a task, and what
a job that uses it begins with. Markdown, on stdout.

  drover driver docs driver.js > README.md
  drover driver docs -json-schema=task driver.js     for editors and other tools

Takes a driver's file or one of this program's own: ${builtInNames.join(', ')}.`,
  flags: {
    'json-schema': {
      kind: 'string',
      value: '<task|plugin>',
      help: 'A JSON Schema of the options of a task, or of the plugin block, in place of the page.',
    },
  },
  client: false,
  complete: 'drivers',
  async run({ args, flags, terminal }) {
    const [word] = args;
    if (word === undefined || args.length > 1) throw new CommandError('This command takes one argument: <file|name>');
    const plugin = isDriverFile(word) ? (await loadDriverFile(word)).plugin : named(word);
    const which = flags.string('json-schema');
    if (which !== undefined) {
      if (which !== 'task' && which !== 'plugin')
        throw new CommandError(`-json-schema is task or plugin, not ${JSON.stringify(which)}`);
      terminal.out(
        JSON.stringify(jsonSchemaOf(which === 'task' ? plugin.taskSchema : plugin.configSchema), undefined, 2),
      );
      return 0;
    }
    terminal.out(await page(plugin));
    return 0;
  },
};

function named(name: string): DriverPlugin {
  try {
    return builtIn(name);
  } catch (error) {
    if (isFault(error)) throw new CommandError(`${error.message}, or a file such as ./driver.js`);
    throw error;
  }
}

async function page(plugin: DriverPlugin): Promise<string> {
  const { pluginName: name, configSchema, taskSchema } = plugin;
  const host = await openScratchHost({ isolation: false });
  try {
    const abilities = describe(plugin, (given) => openDriver(given, {}, host.deps).engine);
    return [
      `# Task driver ${name}${plugin.version === undefined ? '' : ` ${plugin.version}`}`,
      abilities,
      `## Options of a task\n\n    task "t" {\n      driver = "${name}"\n      config {\n${exampleBody(taskSchema, '        ')}      }\n    }\n`,
      optionsPage(taskSchema),
      `## Options of the operator\n\n    plugin "${name}" {\n      config {\n${exampleBody(configSchema, '        ')}      }\n    }\n`,
      optionsPage(configSchema).trimEnd(),
    ].join('\n');
  } finally {
    await host.close();
  }
}

/** Nothing where an instance cannot be made without the operator's options. */
function describe(plugin: DriverPlugin, open: (plugin: DriverPlugin) => EngineDriver): string {
  let engine: EngineDriver;
  try {
    engine = open(plugin);
  } catch {
    return '';
  }
  const { info } = engine;
  const has = (['signal', 'exec', 'stats', 'events'] as const).filter((hook) => engine[hook] !== undefined);
  void engine.close();
  return `
| | |
|---|---|
| can | start, stop, recover${has.map((each) => `, ${each}`).join('')} |
| file system | ${info.filesystem === 'none' ? "the node's, or what isolation shows of it" : info.filesystem} |
| networks | ${info.networkModes.join(', ')} |
| volumes | ${info.mounts ? 'mounted' : 'not mounted'} |
`;
}
