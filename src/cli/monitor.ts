import { isFault } from '../lib/fault.ts';
import { takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'monitor [options]',
  help: 'Prints the log of an agent as it is written, at the level asked for, until Ctrl-C.',
  flags: {
    'log-level': { kind: 'string', value: '<level>', help: 'trace, debug, info, warn or error. Default info.' },
    'node-id': { kind: 'string', value: '<id>', help: 'The agent of this node.' },
    'server-id': { kind: 'string', value: '<name>', help: 'The agent of this server, or "leader".' },
    json: { kind: 'bool', help: 'Lines as JSON.' },
    'log-include-location': { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: true,
  async run(call) {
    const { flags, interrupted } = call;
    takes(call, 'monitor', 'This command takes no arguments', 0);
    const query = {
      log_level: flags.string('log-level'),
      node_id: flags.string('node-id'),
      server_id: flags.string('server-id'),
      log_json: flags.bool('json') || undefined,
    };
    return withClient(call, async (client) => {
      try {
        for await (const text of client.agent.monitor({ query, signal: interrupted })) process.stdout.write(text);
        return 0;
      } catch (error) {
        if (interrupted.aborted) return 0;
        if (isFault(error)) throw new CommandError(`Error starting monitor: ${error.message}`);
        throw error;
      }
    });
  },
};
