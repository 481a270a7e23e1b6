/** Where paths lead as a task sees them, as far as nobody changes that before its start: through its own links, not through the host's. */
import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { join, posix } from 'node:path';
import type { LaunchRequest } from './launch.ts';
import { type SystemPath, viewOfSystem } from './system-paths.ts';

/** What is at a path, if nothing on the way to it is a link. */
export type Place =
  /** That of the host. */
  | { readonly host: string }
  /** `made`: a directory that the sandbox itself makes; `open`: nothing can be told; `nothing`: surely nothing. */
  | 'made'
  | 'open'
  | 'nothing';

export type Places = (path: string) => Place;

/** `host`: of a file of the host's; null: a directory that the sandbox makes. */
export type Found = { readonly host: { readonly path: string; readonly stats: Stats } | null } | 'open' | Miss;

/** Why a path leads nowhere, in the system's words. */
export class Miss {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const words: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
  EACCES: 'Permission denied',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
};

const mostLinks = 40;

/** `path`: absolute, as the task has it. `mayPass`: whether the task gets through such a directory. */
export function followed(path: string, places: Places, mayPass: (directory: Stats) => boolean = () => true): Found {
  let names = namesOf(path);
  let at = '/';
  let found: Found = { host: null };
  for (let links = 0; ; ) {
    if (found === 'open' || found instanceof Miss) return found;
    if (found.host !== null && !found.host.stats.isDirectory())
      return names.length === 0 ? found : new Miss(words['ENOTDIR']!);
    if (names.length === 0) return found;
    if (found.host !== null && !mayPass(found.host.stats)) return new Miss(words['EACCES']!);
    const [name = '', ...rest] = names;
    const next = posix.join(at, name);
    const step = lookAt(places(next));
    if (typeof step === 'object' && 'link' in step) {
      if (++links > mostLinks) return new Miss(words['ELOOP']!);
      names = [...namesOf(step.link), ...rest];
      if (posix.isAbsolute(step.link)) [at, found] = ['/', { host: null }];
      continue;
    }
    [names, at, found] = [rest, next, step];
  }
}

const namesOf = (path: string): readonly string[] => path.split('/').filter((name) => name !== '' && name !== '.');

function lookAt(place: Place): Found | { readonly link: string } {
  if (place === 'made') return { host: null };
  if (place === 'nothing') return new Miss(words['ENOENT']!);
  if (place === 'open') return place;
  try {
    const stats = lstatSync(place.host);
    return stats.isSymbolicLink() ? { link: readlinkSync(place.host) } : { host: { path: place.host, stats } };
  } catch (error) {
    const text = words[(error as NodeJS.ErrnoException).code ?? ''];
    return text === undefined ? 'open' : new Miss(text);
  }
}

/** The view of a sandbox, but for what its own directory holds beside the places that every task has. */
export function sandboxPlaces(
  request: Pick<LaunchRequest, 'mounts' | 'devices' | 'network'>,
  system: readonly SystemPath[],
): Places {
  const { shown, covered } = viewOfSystem(system, request);
  const brought = [...request.mounts, ...request.devices].map(({ taskPath }) => posix.resolve('/', taskPath));
  const open = [...brought, '/proc', '/dev', '/private'];
  const own = ['/local', '/secrets', '/tmp', '/alloc', '/run'];
  const ways = [...brought, ...own, ...shown.map(({ to }) => to)];
  return (path) => {
    if (open.some((each) => isIn(each, path))) return 'open';
    if (ways.some((each) => each !== path && isIn(path, each)) || own.includes(path)) return 'made';
    const cover = covered.find((each) => isIn(each, path));
    if (cover !== undefined) return cover === path ? 'made' : 'nothing';
    const [part] = shown.filter(({ to }) => isIn(to, path)).sort((one, other) => other.to.length - one.to.length);
    if (part === undefined) return 'nothing';
    return path === part.to ? bound(part.from) : { host: join(part.from, path.slice(part.to.length)) };
  };
}

/** What is bound is what a link leads to. */
function bound(from: string): Place {
  try {
    return { host: realpathSync(from) };
  } catch {
    return 'nothing';
  }
}

function isIn(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}
