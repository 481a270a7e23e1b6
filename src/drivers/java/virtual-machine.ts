/** The Java virtual machine of this host: where it is, and what it says about itself. */
import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { programInPath } from '../../driver-kit/find-program.ts';

export interface VirtualMachine {
  /** Absolute, links followed: a sandbox may not have the link. */
  readonly program: string;
  /** `"17.0.15"` */
  readonly version: string;
  /** `"OpenJDK Runtime Environment (build …)"` */
  readonly runtime: string;
  readonly vm: string;
}

const run = promisify(execFile);

/** Asks `java -version`, for at most 10 s. Null: there is none in the agent's PATH, or it does not start. */
export async function findVirtualMachine(signal: AbortSignal): Promise<VirtualMachine | null> {
  const found = await programInPath('java', process.env['PATH'] ?? '');
  if (found === null) return null;
  const program = await realpath(found);
  try {
    const { stdout, stderr } = await run(program, ['-version'], { signal, timeout: 10_000 });
    const said = parseVersion(`${stderr}${stdout}`);
    return said === null ? null : { program, ...said };
  } catch {
    return null;
  }
}

/** Three lines of `java -version`, whatever the machine's options (`JAVA_TOOL_OPTIONS`) print before them. Null: not understood. */
export function parseVersion(output: string): Omit<VirtualMachine, 'program'> | null {
  const lines = output.split('\n').map((line) => line.trim());
  const first = lines.findIndex((line) => /version "[^"]+"/.test(line));
  const version = /version "([^"]+)"/.exec(lines[first] ?? '')?.[1];
  if (version === undefined) return null;
  return { version, runtime: lines[first + 1] ?? '', vm: lines[first + 2] ?? '' };
}
