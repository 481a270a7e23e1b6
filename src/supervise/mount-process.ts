/**
 * One small process that mounts and unmounts for this one, one after the other. A process started by the agent itself costs the more the
 * bigger the agent's heap is (10 ms and more). The native program does it by itself; where it is not built, a shell runs `mount` and `umount`
 * (2 to 5 ms each). It ends with the agent.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Socket } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { Fault } from '../lib/fault.ts';
import { spawn } from '../lib/node/spawn.ts';
import { locateNative } from './locate.ts';

interface Waiting {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (reason: Fault) => void;
}

/** How a process is told what to do, and what it answers. */
interface Dialect {
  readonly command: readonly [string, ...string[]];
  mount(path: string, sizeMb: number): string;
  bind(source: string, path: string): string;
  unmount(path: string): string;
  /** The first answer in `output` and how long it is, `error` `""` where it is good; null: it is not whole yet. */
  answer(output: string): { readonly length: number; readonly error: string } | null;
}

const native = (program: string): Dialect => ({
  command: [program],
  mount: (path, sizeMb) => `m ${sizeMb} ${path}\0`,
  bind: (source, path) => `b ${source} ${path}\0`,
  unmount: (path) => `u ${path}\0`,
  answer: (output) => {
    const length = output.indexOf('\n') + 1;
    if (length === 0) return null;
    const number = Number(output.slice(0, length));
    return { length, error: number === 0 ? '' : (getSystemErrorMap().get(-number)?.[1] ?? `error ${number}`) };
  },
});

const shell: Dialect = {
  command: ['/bin/sh'],
  mount: (path, sizeMb) => {
    const options = `size=${sizeMb}m,mode=0777,noexec,nosuid,nodev`;
    return script(['mount', '-n', '-i', '-c', '-t', 'tmpfs', '-o', options, 'drover-secrets', path]);
  },
  bind: (source, path) => script(['mount', '-n', '-c', '--bind', '--make-private', source, path]),
  unmount: (path) => script(['umount', '-n', '-l', '--', path]),
  answer: (output) => {
    const found = /^([^\u0001]*)\u0001(\d+)\u0002/.exec(output);
    if (found === null) return null;
    return {
      length: found[0].length,
      error: found[2] === '0' ? '' : (found[1] ?? '').trim() || `it ended with ${found[2]}`,
    };
  },
};

function script(command: readonly string[]): string {
  const text = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return `{ ${text}; } 2>&1 </dev/null; printf '\\001%s\\002' "$?"\n`;
}

class MountProcess {
  readonly #dialect: Dialect;
  #process: ChildProcessWithoutNullStreams | null = null;
  readonly #waiting: Waiting[] = [];
  #output = '';

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  mount(path: string, sizeMb: number): Promise<void> {
    return this.#run(`mount ${path}`, this.#dialect.mount(path, sizeMb));
  }

  bind(source: string, path: string): Promise<void> {
    return this.#run(`mount ${source} on ${path}`, this.#dialect.bind(source, path));
  }

  unmount(path: string): Promise<void> {
    return this.#run(`umount ${path}`, this.#dialect.unmount(path));
  }

  #run(what: string, request: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const { stdin } = this.#begin();
      this.#waiting.push({ what, resolve, reject });
      stdin.write(request);
    });
  }

  #begin(): ChildProcessWithoutNullStreams {
    if (this.#process !== null) return this.#process;
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
    const [program, ...args] = this.#dialect.command;
    const begun = spawn(program, args, { stdio: 'pipe', env, cwd: '/' });
    this.#process = begun;
    begun.unref();
    for (const stream of [begun.stdin, begun.stdout, begun.stderr]) (stream as unknown as Socket).unref();
    begun.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    begun.stdin.on('error', () => undefined);
    begun.on('error', () => this.#ended());
    begun.on('close', () => this.#ended());
    return begun;
  }

  #read(text: string): void {
    this.#output += text;
    for (
      let answer = this.#dialect.answer(this.#output);
      answer !== null;
      answer = this.#dialect.answer(this.#output)
    ) {
      this.#output = this.#output.slice(answer.length);
      const { what, resolve, reject } = this.#waiting.shift()!;
      if (answer.error === '') resolve();
      else reject(new Fault('unavailable', `${what}: ${answer.error}`, { recoverable: true }));
    }
  }

  #ended(): void {
    this.#process = null;
    this.#output = '';
    for (const { what, reject } of this.#waiting.splice(0)) {
      reject(new Fault('unavailable', `${what}: the process that mounts ended`, { recoverable: true }));
    }
  }
}

let one: MountProcess | null = null;

function mounts(): MountProcess {
  if (one !== null) return one;
  const program = locateNative('drover-mount');
  one = new MountProcess(program === null ? shell : native(program));
  return one;
}

/** A tmpfs whose files cannot be run; the directory must be there. The path is taken as it is, so it may be that of a descriptor. */
export function mountTmpfs(path: string, sizeMb: number): Promise<void> {
  return mounts().mount(path, sizeMb);
}

/**
 * What a descriptor of this process names, at `path` too, without what is mounted below it: links have no say in it any more. Whoever is in
 * another mount namespace sees it where this one's mounts reach that. What is mounted in either place later is not in the other.
 */
export function mountDescriptor(descriptor: number, path: string): Promise<void> {
  return mounts().bind(`/proc/${process.pid}/fd/${descriptor}`, path);
}

/** Innermost first. What is still in use goes when it is not any more. */
export async function unmount(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => mounts().unmount(path)));
}
