/** Files that describe one thing that is not a job: read, and decoded with their diagnostics shown. */
import type { ParsedSpec } from '../jobspec/index.ts';
import { messageOf } from '../lib/fault.ts';
import { parseJson } from '../lib/json.ts';
import type { Input } from '../model/schema.ts';
import { type Call, CommandError } from './command.ts';
import { showDiagnostics } from './diagnostics.ts';
import { readGiven } from './given-file.ts';

/** `-`: standard input. With `-json` the file is the API's JSON. */
export function readSpec<T>(
  call: Call,
  path: string,
  what: string,
  parse: (source: string, filename: string) => ParsedSpec<T>,
): Input<T> {
  const source = readGiven(path, 'Failed to read').toString();
  if (call.flags.bool('json')) return jsonOf(source, what);
  const { value, diagnostics } = parse(source, path === '-' ? 'stdin' : path);
  showDiagnostics(call.terminal, diagnostics);
  if (value === null) throw new CommandError(`Failed to parse ${what}: see above`);
  return value;
}

function jsonOf<T>(source: string, what: string): Input<T> {
  try {
    return parseJson(source) as Input<T>;
  } catch (error) {
    throw new CommandError(`Failed to parse ${what}: ${messageOf(error)}`);
  }
}
