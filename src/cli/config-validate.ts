import { loadConfig } from '../agent/config-load.ts';
import { hasErrors } from '../hcl/index.ts';
import { type Command, CommandError } from './command.ts';
import { showDiagnostics } from './diagnostics.ts';

export const command: Command = {
  usage: 'config validate <path> …',
  help: 'Reads agent files and directories as `agent -config` would, in the order given, and says everything that is wrong. Needs no agent.',
  flags: {},
  client: false,
  complete: 'files',
  async run({ args, terminal }) {
    if (args.length === 0)
      throw new CommandError(
        "This command takes at least one argument: <path>\nFor additional help try 'drover config validate -help'",
      );
    // where the files leave the data directory open it may still come as a flag
    const loaded = loadConfig({ paths: args, dev: false, flags: {}, defaultDataDir: '/' });
    showDiagnostics(terminal, loaded.diagnostics);
    for (const warning of loaded.warnings) terminal.error(`Warning: ${warning}`);
    if (loaded.problems.length > 0) {
      const list = loaded.problems.map((problem) => `\t* ${problem}\n`).join('');
      terminal.error(`${loaded.problems.length} error${loaded.problems.length === 1 ? '' : 's'} occurred:\n${list}\n`);
    }
    if (hasErrors(loaded.diagnostics) || loaded.problems.length > 0) return 1;
    terminal.out('Configuration is valid!');
    return 0;
  },
};
