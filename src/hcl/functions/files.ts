import { stringType } from '../type.ts';
import { asString, boolValue, setValue, stringValue, type Value } from '../value.ts';
import { base64Encode } from './base64.ts';
import { define, text } from './define.ts';
import { baseName, cleanPath, directoryName, joinPaths } from './file-paths.ts';
import { FunctionError, type HclFunction } from './function.ts';
import { expandBraces, type GlobPart, globParts } from './glob.ts';
import type { FileAccess, FunctionHost } from './host.ts';

/** Most entries of directories that one `fileset` looks at. */
const maxEntries = 100_000;

function expandHome(files: FileAccess, path: string): string {
  const match = /^~([^/]*)/.exec(path);
  if (match === null) return path;
  if (match[1] !== '') throw new FunctionError('the home directory of another user cannot be named');
  return joinPaths(files.home(''), `.${path.slice(match[0].length)}`);
}

const absolute = (files: FileAccess, path: string): string =>
  joinPaths(files.workingDirectory, expandHome(files, path));

function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof FunctionError) throw error;
    throw new FunctionError(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function read(files: FileAccess, path: string): Uint8Array {
  const full = absolute(files, path);
  const quoted = JSON.stringify(path);
  const kind = attempt(`${quoted} cannot be read`, () => files.kind(full));
  if (kind === 'absent') throw new FunctionError(`there is no file ${quoted}`);
  if (kind === 'directory') throw new FunctionError(`${quoted} is a directory`);
  return attempt(`${quoted} cannot be read`, () => files.read(full));
}

function readText(files: FileAccess, path: string): Value {
  const bytes = read(files, path);
  try {
    return stringValue(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new FunctionError(`${JSON.stringify(path)} is not UTF-8; use filebase64 for it`);
  }
}

function exists(files: FileAccess, path: string): Value {
  const kind = attempt(JSON.stringify(path), () => files.kind(absolute(files, path)));
  if (kind === 'file' || kind === 'absent') return boolValue(kind === 'file');
  throw new FunctionError(`${JSON.stringify(path)} is no regular file`);
}

class FileSet {
  readonly #files: FileAccess;
  readonly #root: string;
  readonly found = new Set<string>();
  #entries = 0;

  constructor(files: FileAccess, root: string) {
    this.#files = files;
    this.#root = root;
  }

  search(parts: readonly GlobPart[], path: string): void {
    const [part, ...rest] = parts;
    if (part === undefined) return;
    const names = this.#list(path);
    if (part.any === true) {
      this.search(rest, path);
      for (const name of names) {
        const inner = path === '' ? name : `${path}/${name}`;
        if (this.#kind(inner) === 'directory') this.search(parts, inner);
        else if (rest.length === 0) this.#add(inner);
      }
      return;
    }
    for (const name of names) {
      if (!part.matches(name)) continue;
      const inner = path === '' ? name : `${path}/${name}`;
      if (rest.length === 0) this.#add(inner);
      else if (this.#kind(inner) === 'directory') this.search(rest, inner);
    }
  }

  #add(path: string): void {
    if (this.#kind(path) === 'file') this.found.add(path);
  }

  #kind(path: string): string {
    return this.#files.kind(joinPaths(this.#root, path));
  }

  #list(path: string): readonly string[] {
    const full = joinPaths(this.#root, path === '' ? '.' : path);
    if (this.#files.kind(full) !== 'directory') return [];
    const names = [...this.#files.list(full)].sort();
    this.#entries += names.length;
    if (this.#entries > maxEntries) throw new FunctionError(`more than ${maxEntries} directory entries to look at`);
    return names;
  }
}

function fileSet(files: FileAccess, path: string, pattern: string): Value {
  const set = new FileSet(files, absolute(files, path));
  attempt(`${JSON.stringify(path)} cannot be listed`, () => {
    for (const one of expandBraces(pattern)) set.search(globParts(cleanPath(one)), '');
  });
  const names = [...set.found].map((name) => stringValue(name));
  return setValue(names, stringType);
}

/** The functions that see files or names of files; without `host.files` each of them is refused. */
export function fileFunctions(host: FunctionHost): Record<string, HclFunction> {
  const one = (description: string, apply: (files: FileAccess, path: string) => Value): HclFunction =>
    define(description, [text('path')], ([path]) => apply(access(host), asString(path!)));
  return {
    abspath: one('The absolute form of a path.', (files, path) => stringValue(joinPaths(files.workingDirectory, path))),
    basename: one('The last part of a path.', (_, path) => stringValue(baseName(path))),
    dirname: one('A path without its last part.', (_, path) => stringValue(directoryName(path))),
    pathexpand: one('A path with a leading ~ replaced by the home directory.', (files, path) =>
      stringValue(expandHome(files, path)),
    ),
    file: one('The text of a file.', readText),
    filebase64: one('The bytes of a file in base64.', (files, path) => stringValue(base64Encode(read(files, path)))),
    fileexists: one('Whether there is such a file.', exists),
    fileset: define(
      'The files below a directory that match a pattern.',
      [text('path'), text('pattern')],
      ([path, pattern]) => fileSet(access(host), asString(path!), asString(pattern!)),
    ),
  };
}

function access(host: FunctionHost): FileAccess {
  if (host.files === undefined) throw new FunctionError('filesystem function disabled');
  return host.files;
}
