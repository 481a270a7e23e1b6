import { builtInNames } from '../agent/built-in-drivers.ts';
import { serveBuiltIn } from '../agent/serve-built-in.ts';
import { serve } from '../driver-kit/serve/serve-program.ts';
import { Fault } from '../lib/fault.ts';
import { type Command, CommandError } from './command.ts';
import { isDriverFile, loadDriverFile } from './driver-file.ts';

export const command: Command = {
  usage: 'driver serve [options] <name|file>',
  help: `Serves a built-in driver, or the one in a file, as a task driver plugin. It is not started by hand: an executable in the
plugin_dir of an agent (Drover's or Nomad's) runs it, for example

  #!/bin/sh
  exec drover driver serve exec

Drivers: ${builtInNames.join(', ')}.`,
  flags: {
    'state-dir': {
      kind: 'string',
      value: '<path>',
      help: 'Where tasks are recorded, so that the next process finds them again. Default: /var/lib/drover/drivers/<name>.',
    },
    trace: { kind: 'bool', help: 'Say every call of the host on stderr when it is over.' },
  },
  client: false,
  complete: 'drivers',
  async run({ args, flags }) {
    const [name] = args;
    if (name === undefined || args.length > 1) throw new CommandError('This command takes one argument: <name|file>');
    // Ctrl-C at the agent's terminal reaches its plugins too and is not meant for them
    process.removeAllListeners('SIGINT');
    // and the end of who reads their log, as of an agent that was killed, is not theirs
    for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => {});
    const options = { stateDirectory: flags.string('state-dir') ?? '', trace: flags.bool('trace') };
    try {
      if (isDriverFile(name)) await serve((await loadDriverFile(name)).plugin, options);
      else await serveBuiltIn(name, options);
    } catch (error) {
      if (error instanceof Fault) throw new CommandError(error.message);
      throw error;
    }
    // timers of drivers must not hold up the host, which kills after two seconds
    process.exit(process.exitCode ?? 0);
  },
};
