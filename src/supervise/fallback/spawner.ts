import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../lib/fault.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { faultOf } from '../connection.ts';
import type { Spawner } from '../spawner.ts';
import { encodeFrame, FrameReader, shimFrame, u32 } from '../wire.ts';

/** Starts TypeScript shims: one detached Node process for each task. */
export class FallbackSpawner implements Spawner {
  readonly #program: string;

  /** `program`: the compiled `fallback/main.js`; default: the one beside this file, or in `dist`. */
  constructor(program: string = compiledProgram()) {
    this.#program = program;
  }

  spawn(fields: Uint8Array): Promise<number> {
    if (!existsSync(this.#program))
      return Promise.reject(new Fault('unsupported', `${this.#program} is missing: run \`npm run build\``));
    const child = spawn(process.execPath, [this.#program], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
      cwd: '/',
      detached: true,
    });
    const reader = new FrameReader();
    return new Promise((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        for (const frame of reader.push(chunk)) {
          if (frame.type === shimFrame.error) reject(faultOf(frame.payload.subarray(4)));
          else resolve(child.pid as number);
          child.stdout.destroy();
          child.unref();
        }
      });
      child.on('error', (error) =>
        reject(new Fault('unavailable', `the TypeScript shim cannot be run: ${error.message}`)),
      );
      child.on('exit', (code) =>
        reject(new Fault('unavailable', `the shim ended with ${code} before it could answer`, { recoverable: true })),
      );
      child.stdin.on('error', () => {});
      child.stdin.end(encodeFrame(1, u32(1), fields));
    });
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

function compiledProgram(): string {
  const beside = fileURLToPath(new URL('./main.js', import.meta.url));
  return existsSync(beside)
    ? beside
    : fileURLToPath(new URL('../../../dist/supervise/fallback/main.js', import.meta.url));
}
