import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, parseNative } from '../hcl/index.ts';
import { compareText } from '../lib/order.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { diagnosticTexts } from './diagnostics.ts';
import { orCommandError, reasonOf } from './given-file.ts';
import type { Terminal } from './terminal.ts';

export const command: Command = {
  usage: 'fmt [options] [<path> …]',
  help: `Puts job files and agent files into the canonical layout. A directory means the .hcl and .nomad files in it, "-" standard
input, nothing the directory here. Needs no agent.

Exit codes: 0; 1 a file could not be read or parsed, or with -check is not laid out so.`,
  flags: {
    check: { kind: 'bool', help: 'Change nothing: the exit code says whether all is as it should be.' },
    write: { kind: 'bool', help: 'Write into the files; -write=false prints instead. Default true.' },
    list: { kind: 'bool', help: 'Name the files that differ. Default true.' },
    recursive: { kind: 'bool', help: 'Directories in directories too.' },
  },
  client: false,
  complete: 'files',
  async run(call) {
    const paths = call.args.length === 0 ? ['.'] : call.args;
    if (paths.includes('-')) {
      if (paths.length > 1) throw new CommandError('Standard input ("-") stands alone');
      return formatStdin(call);
    }
    let failed = false;
    for (const path of paths.flatMap((name) => filesBelow(name, call.flags.bool('recursive'))))
      failed = !formatFile(call, path) || failed;
    return failed ? 1 : 0;
  },
};

function formatStdin({ flags, terminal }: Call): number {
  const bytes = readFileSync(0);
  const source = bytes.toString('utf8');
  const text = laidOut(terminal, '<stdin>', bytes);
  if (!flags.bool('check')) process.stdout.write(text);
  else if (text !== source) terminal.out('<stdin>');
  return flags.bool('check') && text !== source ? 1 : 0;
}

/** False: it could not be done, or with -check was not as it should be. */
function formatFile({ flags, terminal }: Call, path: string): boolean {
  let source: string;
  let text: string;
  try {
    const bytes = readFileSync(path);
    source = bytes.toString('utf8');
    text = laidOut(terminal, path, bytes);
  } catch (error) {
    terminal.error(error instanceof CommandError ? error.message : `${path}: ${reasonOf(error)}`);
    return false;
  }
  if (text === source) return true;
  const check = flags.bool('check');
  if (flags.bool('list', true)) terminal.out(path);
  if (check) return false;
  if (flags.bool('write', true)) orCommandError(path, 'Error writing', () => writeFileSync(path, text));
  else process.stdout.write(text);
  return true;
}

/** A text that is no HCL stays as it is: laying it out would hide the mistake. */
function laidOut(terminal: Terminal, name: string, source: Uint8Array): string {
  const { diagnostics } = parseNative(source, name);
  const errors = diagnostics.filter((item) => item.severity === 'error');
  if (errors.length > 0) throw new CommandError(diagnosticTexts(terminal, errors).join('\n'));
  return format(Buffer.from(source).toString('utf8'));
}

function filesBelow(path: string, recursive: boolean): string[] {
  let directory: boolean;
  try {
    directory = statSync(path).isDirectory();
  } catch (error) {
    throw new CommandError(`${path}: ${reasonOf(error)}`);
  }
  if (!directory) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => compareText(a.name, b.name))
    .flatMap((entry) => {
      if (entry.isDirectory())
        return recursive && !entry.name.startsWith('.') ? filesBelow(join(path, entry.name), true) : [];
      return /\.(hcl|nomad)$/.test(entry.name) ? [join(path, entry.name)] : [];
    });
}
