/** Modules for tests, compiled of C by Debian's own clang and wasi-libc. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What is missing on this host for it; empty: nothing. */
export const lackingForModules: readonly string[] = [
  '/usr/bin/clang',
  '/usr/bin/wasm-ld',
  '/usr/lib/wasm32-wasi/libc.a',
].filter((path) => !existsSync(path));

export function compileModule(source: string, target: string): void {
  const options = ['--target=wasm32-wasi', '--sysroot=/usr', '-O1', '-s'];
  execFileSync('clang', [...options, '-o', target, source], { stdio: ['ignore', 'ignore', 'pipe'] });
}
