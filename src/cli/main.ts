import { Fault } from '../lib/fault.ts';
import { type Command, CommandError, Interrupted } from './command.ts';
import { type FlagTable, parseFlags } from './flags.ts';
import { aliases, commands, type Entry } from './registry.ts';
import { createTerminal, type Terminal } from './terminal.ts';

async function main(words: readonly string[]): Promise<number> {
  const terminal = createTerminal(process.stdout, process.stderr, {
    noColor: flagged(words, 'no-color') || present('NO_COLOR') || present('NOMAD_CLI_NO_COLOR'),
    forceColor: flagged(words, 'force-color') || present('NOMAD_CLI_FORCE_COLOR'),
  });
  const first = words[0];
  if (first === undefined || isHelp(first))
    return (await import('./help.ts')).showAll(terminal, first === undefined ? 127 : 0);
  if (first === '-v' || first === '-version' || first === '--version') return execute('version', [], terminal);
  if (first.startsWith('-autocomplete-')) return (await import('./autocomplete.ts')).install(words, terminal);
  if (process.env['COMP_LINE'] !== undefined)
    return (await import('./autocomplete.ts')).complete(process.env['COMP_LINE'], terminal);
  const name = longestMatch(words);
  if (name === undefined) return (await import('./help.ts')).showGroup(terminal, words);
  return execute(name, words.slice(name.split(' ').length), terminal);
}

/** The most words that name a command: `job run` before `job`. */
function longestMatch(words: readonly string[]): string | undefined {
  for (let count = Math.min(4, words.length); count > 0; count--) {
    const name = words.slice(0, count).join(' ');
    if (Object.hasOwn(commands, name) || Object.hasOwn(aliases, name)) return name;
  }
  return undefined;
}

async function execute(name: string, words: readonly string[], terminal: Terminal): Promise<number> {
  const entry = (commands[name] ?? commands[aliases[name] ?? '']) as Entry;
  const { command } = await entry.load();
  if (words.some(isHelp) && isHelp(words[0]!)) return (await import('./help.ts')).showCommand(terminal, command);
  const parsed = parseFlags(words, await flagsOf(command));
  if ('problem' in parsed) {
    terminal.error(`${parsed.problem}\n\nUsage: drover ${command.usage}\nFor all options: drover ${name} -help`);
    return 1;
  }
  let interrupted: AbortSignal | undefined;
  try {
    return await command.run({
      args: parsed.rest,
      flags: parsed.flags,
      terminal,
      env: process.env,
      // Who does not ask for it is ended by Ctrl-C as any program is.
      get interrupted() {
        interrupted ??= onInterrupt();
        return interrupted;
      },
    });
  } catch (error) {
    if (error instanceof Interrupted || interrupted?.aborted) return endBySignal();
    if (error instanceof Fault || ofSystem(error)) {
      terminal.error(`Error: ${error.message}`);
      return 1;
    }
    if (notLoaded(error)) {
      terminal.error(
        `Error: a native module cannot be loaded: ${error.message}\nThis system's C or C++ library is older than it, or another one: packaging/README.md says which are needed.`,
      );
      return 1;
    }
    if (!(error instanceof CommandError)) throw error;
    if (error.message !== '') terminal.error(error.message);
    return error.exitCode;
  }
}

/** `EACCES: permission denied, mkdir '/x'`: it says what was refused, and is no fault of this program's. */
function ofSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** `…/libc.so.6: version \`GLIBC_2.34' not found (required by …)` */
const notLoaded = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && error.code === 'ERR_DLOPEN_FAILED';

async function flagsOf(command: Command): Promise<FlagTable> {
  if (!command.client) return { ...command.flags, ...(await import('./client-flags.ts')).displayFlags };
  return { ...command.flags, ...(await import('./client-flags.ts')).clientFlags };
}

/** The first Ctrl-C asks, the second ends. */
function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  return controller.signal;
}

/** As the shell sees a program that Ctrl-C ended. */
function endBySignal(): number {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
  return 130;
}

const isHelp = (word: string): boolean => word === '-h' || word === '-help' || word === '--help' || word === 'help';
const present = (name: string): boolean => (process.env[name] ?? '') !== '';
const flagged = (words: readonly string[], name: string): boolean =>
  words.includes(`-${name}`) || words.includes(`--${name}`);

// `drover … | head` ends quietly when its reader does
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 141 : 1));

process.exitCode = await main(process.argv.slice(2));
