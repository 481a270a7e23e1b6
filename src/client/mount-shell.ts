/**
 * One small shell that runs `mount` and `umount` for this process, one command after the other. A process started by the agent itself
 * costs the more the bigger the agent's heap is (measured: 10 ms and more against 2 ms); the shell stays small. It ends with the agent.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { Fault } from '../lib/fault.ts';

interface Waiting {
  readonly command: string;
  readonly resolve: () => void;
  readonly reject: (reason: Fault) => void;
}

class MountShell {
  #shell: ChildProcessWithoutNullStreams | null = null;
  readonly #waiting: Waiting[] = [];
  #output = '';

  run(command: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const text = command.map(quoted).join(' ');
      this.#waiting.push({ command: text, resolve, reject });
      this.#begin().stdin.write(`{ ${text}; } 2>&1 </dev/null; printf '\\001%s\\002' "$?"\n`);
    });
  }

  #begin(): ChildProcessWithoutNullStreams {
    if (this.#shell !== null) return this.#shell;
    const env = { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
    const shell = spawn('/bin/sh', [], { stdio: 'pipe', env });
    this.#shell = shell;
    shell.unref();
    for (const stream of [shell.stdin, shell.stdout, shell.stderr]) (stream as unknown as Socket).unref();
    shell.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    shell.stdin.on('error', () => undefined);
    shell.on('error', () => this.#ended());
    shell.on('close', () => this.#ended());
    return shell;
  }

  #read(text: string): void {
    this.#output += text;
    for (;;) {
      const answer = /^([^\u0001]*)\u0001(\d+)\u0002/.exec(this.#output);
      if (answer === null) return;
      this.#output = this.#output.slice(answer[0].length);
      const { command, resolve, reject } = this.#waiting.shift()!;
      if (answer[2] === '0') resolve();
      else reject(new Fault('unavailable', `${command}: ${answer[1]!.trim()}`, { recoverable: true }));
    }
  }

  #ended(): void {
    this.#shell = null;
    this.#output = '';
    for (const { command, reject } of this.#waiting.splice(0)) {
      reject(new Fault('unavailable', `${command}: the shell ended`, { recoverable: true }));
    }
  }
}

const mounts = new MountShell();

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A tmpfs whose files cannot be run; the directory must be there. The path is taken as it is, so it may be that of a descriptor. */
export async function mountTmpfs(path: string, sizeMb: number): Promise<void> {
  const options = `size=${sizeMb}m,mode=0777,noexec,nosuid,nodev`;
  await mounts.run(['mount', '-n', '-i', '-c', '-t', 'tmpfs', '-o', options, 'drover-secrets', path]);
}

/** Innermost first. What is still in use goes when it is not any more. */
export async function unmount(paths: readonly string[]): Promise<void> {
  if (paths.length > 0) await mounts.run(['umount', '-n', '-l', '--', ...paths]);
}
