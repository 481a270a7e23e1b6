/** What went wrong in a user's module, and where in the user's own files: not a stack, whose other lines are this program's. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const thisProgram = fileURLToPath(new URL('..', import.meta.url));

/** `path`: absolute, the module that was loaded. What was thrown may be anything. `otherwise`: a place where the error has none. */
export function moduleProblem(error: unknown, path: string, otherwise?: string): string {
  const last = otherwise === undefined ? '' : `\n  at ${otherwise}`;
  if (!(error instanceof Error)) return `it threw ${inspect(error, { depth: 2 })}${last}`;
  const message = error.message || error.name;
  const lines = (error.stack ?? '').split('\n');
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const beside = (line: string): boolean => line.includes(folder) && !line.includes(thisProgram);
  const own = lines.find((each) => each.includes(`${path}:`)) ?? lines.find(beside);
  const place = /(file:\/\/[^\s)]+|\/[^\s):]+:\d+(?::\d+)?)/.exec(own ?? '')?.[0];
  if (place === undefined) return `${message}${error instanceof SyntaxError ? syntaxPlace(path) : last}`;
  const at = place.startsWith('file://') ? placeOf(place) : place;
  return message.startsWith(at) ? message : `${message}\n  at ${at}`;
}

/** An error of syntax does not say in its stack where it is; the program that checks a file does. */
function syntaxPlace(path: string): string {
  if (!/\.[cm]?js$/.test(path)) return '';
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8', timeout: 10_000 });
  const [place = '', line = ''] = stderr.split('\n');
  if (!/:\d+$/.test(place)) return '';
  return `\n  at ${place.startsWith('file://') ? placeOf(place) : place}\n    ${line.trim()}`;
}

function placeOf(place: string): string {
  const [, url = place, rest = ''] = /^(file:\/\/.*?)((?::\d+)*)$/.exec(place) ?? [];
  return fileURLToPath(url) + rest;
}
