/**
 * WASI's calls as Node makes them, with what they lack: links on the way are looked at, directories can be read-only, and a sleep ends with
 * the thread. The numbers are those of `wasi_snapshot_preview1` (WASI's witx files).
 */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { WASI } from 'node:wasi';
import { staysBelow } from './path-check.ts';
import type { HostDirectory } from './plan.ts';
import { waitingCall } from './waiting-call.ts';

export type Call = (...args: readonly never[]) => number;
export type Calls = Record<string, Call>;

const errno = { success: 0, badf: 8, inval: 28, notsup: 58, rofs: 69, notcapable: 76 } as const;
const openFlag = { create: 1, directory: 2, truncate: 8 } as const;
const followLinks = 1;
/** As POSIX has it (IOV_MAX). Node makes room for as many as are named, and reckons their size in 32 bits. */
const mostVectors = 1024;

/** Places of a call's arguments. */
interface PathArgument {
  readonly fd: number;
  /** Of the text and, behind it, its length. */
  readonly text: number;
  /** Of the flags that say whether the last name is followed; absent: it is not. */
  readonly flags?: number;
}

interface Rule {
  readonly paths?: readonly PathArgument[];
  /** Descriptors that must not be read-only. */
  readonly changes?: readonly number[];
}

const rules: Readonly<Record<string, Rule>> = {
  path_create_directory: { paths: [{ fd: 0, text: 1 }], changes: [0] },
  path_filestat_get: { paths: [{ fd: 0, text: 2, flags: 1 }] },
  path_filestat_set_times: { paths: [{ fd: 0, text: 2, flags: 1 }], changes: [0] },
  // a second name in a writable directory would be a way to write
  path_link: {
    paths: [
      { fd: 0, text: 2, flags: 1 },
      { fd: 4, text: 5 },
    ],
    changes: [0, 4],
  },
  path_open: { paths: [{ fd: 0, text: 2, flags: 1 }] },
  path_readlink: { paths: [{ fd: 0, text: 1 }] },
  path_remove_directory: { paths: [{ fd: 0, text: 1 }], changes: [0] },
  path_rename: {
    paths: [
      { fd: 0, text: 1 },
      { fd: 3, text: 4 },
    ],
    changes: [0, 3],
  },
  path_symlink: { paths: [{ fd: 2, text: 3 }], changes: [2] },
  path_unlink_file: { paths: [{ fd: 0, text: 1 }], changes: [0] },
  fd_allocate: { changes: [0] },
  fd_filestat_set_size: { changes: [0] },
  fd_filestat_set_times: { changes: [0] },
};

/** Rights of a descriptor that change a file, or what a directory holds: fd_write, fd_allocate, path_create_directory … path_unlink_file. */
const changing = [6, 8, 9, 10, 11, 12, 16, 17, 19, 20, 22, 23, 24, 25, 26].reduce(
  (sum, bit) => sum | (1n << BigInt(bit)),
  0n,
);
const writing = 1n << 6n;

interface Opened {
  /** The directory of the plan that it was reached by. */
  readonly root: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/** `memory`: the module's, once it is there. */
export function guardedCalls(wasi: WASI, dirs: readonly HostDirectory[], memory: () => DataView): Calls {
  return new GuardedCalls(wasi.wasiImport as Calls, dirs, memory).all();
}

class GuardedCalls {
  readonly #calls: Calls;
  readonly #memory: () => DataView;
  readonly #opened = new Map<number, Opened>();
  /** WASI's flags (append, dsync, nonblock, …) of descriptors. */
  readonly #flags = new Map<number, number>();

  constructor(calls: Calls, dirs: readonly HostDirectory[], memory: () => DataView) {
    this.#calls = calls;
    this.#memory = memory;
    for (const [at, { path, readOnly }] of dirs.entries()) {
      const root = realpathSync(path);
      // those of the plan follow the three standard ones, in its order
      this.#opened.set(at + 3, { root, path: root, readOnly });
    }
  }

  all(): Calls {
    const ruled = Object.entries(rules).map(([name, rule]) => [name, this.#ruled(name, rule)] as const);
    const calls = { ...this.#calls, ...Object.fromEntries(ruled) };
    // a module is given no socket; asked about another descriptor, Node ends with SIGSEGV
    for (const name of ['sock_accept', 'sock_recv', 'sock_send', 'sock_shutdown']) calls[name] = () => errno.notsup;
    for (const name of ['fd_pread', 'fd_pwrite', 'fd_read', 'fd_write'])
      calls[name] = (...args: readonly unknown[]) =>
        Number(args[2]) >>> 0 > mostVectors ? errno.inval : this.#call(name, args);
    const open = calls['path_open']!;
    return {
      ...calls,
      path_open: (...args: readonly unknown[]) => this.#open(open, args),
      fd_close: (fd: number) => {
        const result = this.#call('fd_close', [fd]);
        if (result === errno.success) this.#forget(fd);
        return result;
      },
      // Node's gives those of the kernel, in which another bit means "append"; and programs set what they got
      fd_fdstat_get: (fd: number, into: number) => {
        const result = this.#call('fd_fdstat_get', [fd, into]);
        if (result === errno.success) this.#memory().setUint16((into >>> 0) + 2, this.#flags.get(fd) ?? 0, true);
        return result;
      },
      fd_fdstat_set_flags: (fd: number, flags: number) => {
        const result = this.#call('fd_fdstat_set_flags', [fd, flags]);
        if (result === errno.success) this.#flags.set(fd, flags);
        return result;
      },
      fd_renumber: (from: number, to: number) => {
        const result = this.#call('fd_renumber', [from, to]);
        if (result === errno.success && from !== to) this.#move(from, to);
        return result;
      },
      poll_oneoff: waitingCall(this.#memory),
    };
  }

  #call(name: string, args: readonly unknown[]): number {
    return this.#calls[name]!(...(args as never[]));
  }

  #ruled(name: string, { paths = [], changes = [] }: Rule): Call {
    return (...args: readonly unknown[]) => {
      if (changes.some((place) => this.#opened.get(Number(args[place]))?.readOnly === true)) return errno.rofs;
      for (const path of paths) {
        const refused = this.#refused(path, args);
        if (refused !== errno.success) return refused;
      }
      return this.#call(name, args);
    };
  }

  #refused(place: PathArgument, args: readonly unknown[]): number {
    const from = this.#opened.get(Number(args[place.fd]));
    if (from === undefined) return errno.badf;
    const follow = place.flags !== undefined && (Number(args[place.flags]) & followLinks) !== 0;
    const path = this.#text(Number(args[place.text]), Number(args[place.text + 1]));
    return staysBelow(from.root, from.path, path, follow) ? errno.success : errno.notcapable;
  }

  #text(at: number, length: number): string {
    return Buffer.from(this.#memory().buffer as ArrayBuffer, at >>> 0, length >>> 0).toString('utf8');
  }

  #open(open: Call, args: readonly unknown[]): number {
    const [fd, , text, length, flags, rights, inherited, fdFlags, into] = args;
    const from = this.#opened.get(Number(fd));
    const asked = [...args];
    if (from?.readOnly === true) {
      const isDirectory = (Number(flags) & openFlag.directory) !== 0;
      if ((Number(flags) & (openFlag.create | openFlag.truncate)) !== 0) return errno.rofs;
      if (!isDirectory && ((rights as bigint) & writing) !== 0n) return errno.rofs;
      asked[5] = (rights as bigint) & ~changing;
      asked[6] = (inherited as bigint) & ~changing;
    }
    const result = open(...(asked as never[]));
    if (result !== errno.success || from === undefined) return result;
    const path = resolve(from.path, this.#text(Number(text), Number(length)));
    const opened = this.#memory().getUint32(Number(into) >>> 0, true);
    this.#opened.set(opened, { ...from, path });
    this.#flags.set(opened, Number(fdFlags));
    return result;
  }

  #forget(fd: number): void {
    this.#opened.delete(fd);
    this.#flags.delete(fd);
  }

  #move(from: number, to: number): void {
    const moved = this.#opened.get(from);
    const flags = this.#flags.get(from) ?? 0;
    this.#forget(from);
    this.#forget(to);
    if (moved !== undefined) this.#opened.set(to, moved);
    this.#flags.set(to, flags);
  }
}
