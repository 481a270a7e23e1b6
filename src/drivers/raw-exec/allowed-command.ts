/** Which programs an operator allows, and what is then run. */
import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { matchesPattern } from './denied-env.ts';

/**
 * The path to run. What its links lead to is what has to be allowed; where others could exchange a link before the start, that is named
 * itself. Elsewhere the path stays, for some programs do what they are called. `patterns` empty: all are allowed.
 */
export async function allowedCommand(command: string, patterns: readonly string[]): Promise<string> {
  if (patterns.length === 0) return command;
  const real = await realpath(command);
  if (!patterns.some((pattern) => matchesPattern(pattern, real)))
    throw new Fault('denied', `${real} is not among the allowed_commands of raw_exec on this node`);
  return (await isTheirs(dirname(command))) ? real : command;
}

/** Others than root and the agent may change what is in the directory, or put another in its place. */
async function isTheirs(directory: string): Promise<boolean> {
  for (let at = await realpath(directory); ; at = dirname(at)) {
    const { uid, mode } = await lstat(at);
    if (![0, process.getuid?.()].includes(uid) || (mode & 0o022) !== 0) return true;
    if (dirname(at) === at) return false;
  }
}
