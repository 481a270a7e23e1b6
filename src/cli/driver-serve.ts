import { servableDrivers, serveBuiltIn } from '../agent/serve-built-in.ts';
import { Fault } from '../lib/fault.ts';
import { type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'driver serve [options] <name>',
  help: `Serves a built-in driver as a task driver plugin. It is not started by hand: an executable in the plugin_dir of an
agent (Drover's or Nomad's) runs it, for example

  #!/bin/sh
  exec drover driver serve exec

Drivers: ${servableDrivers.join(', ')}.`,
  flags: {
    'state-dir': {
      kind: 'string',
      value: '<path>',
      help: 'Where tasks are recorded, so that the next process finds them again. Default: /var/lib/drover/drivers/<name>.',
    },
  },
  client: false,
  async run({ args, flags }) {
    const [name] = args;
    if (name === undefined || args.length > 1) throw new CommandError('This command takes one argument: <name>');
    // Ctrl-C at the agent's terminal reaches its plugins too and is not meant for them
    process.removeAllListeners('SIGINT');
    try {
      await serveBuiltIn(name, flags.string('state-dir') ?? '');
    } catch (error) {
      if (error instanceof Fault) throw new CommandError(error.message);
      throw error;
    }
    // timers of drivers must not hold up the host, which kills after two seconds
    process.exit(process.exitCode ?? 0);
  },
};
