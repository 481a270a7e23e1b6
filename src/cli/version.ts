import { readFileSync } from 'node:fs';
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'version',
  help: 'Prints the version of this program. Needs no agent.',
  flags: {},
  client: false,
  async run({ terminal }) {
    terminal.out(`Drover v${version()}`);
    return 0;
  },
};

/** From the package's own description: the one place where the version stands. */
export function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
