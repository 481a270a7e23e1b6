// Two collectors of one directory would store each line twice.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { socketName } from './follow-request.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-collector-'));
const program = join(import.meta.dirname, '../../../../dist/driver-kit/container-engine/log-collector/main.js');
const started: ChildProcess[] = [];
const start = (...around: readonly string[]): ChildProcess => {
  const [first, ...rest] = [...around, process.execPath, program, directory];
  const child = spawn(first!, rest, { stdio: 'ignore' });
  started.push(child);
  return child;
};
const lives = (): number =>
  readdirSync('/proc').filter((pid) => {
    const line = commandLine(pid);
    return line.startsWith(process.execPath) && line.includes(directory);
  }).length;

function commandLine(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
  } catch {
    return '';
  }
}

afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

test.skipIf(spawnSync('strace', ['-V']).status !== 0)(
  'of collectors that begin at once where another was killed one stays, however slowly each of them takes its steps',
  { timeout: 120_000 },
  async () => {
    const first = start();
    await expect.poll(() => existsSync(join(directory, socketName)), { timeout: 20_000 }).toBe(true);
    first.kill('SIGKILL');
    // held up for seconds at each name that it takes away
    const calls = join(directory, 'calls');
    const held = 'inject=unlink,unlinkat,rename:delay_enter=3000000';
    start('strace', '-f', '-qq', '-o', calls, '-e', 'trace=unlink,unlinkat,rename', '-e', held);
    await expect.poll(() => existsSync(calls) && readFileSync(calls, 'utf8'), { timeout: 20_000 }).toContain('(');
    start();
    // the one that was killed may not be gone yet
    await expect.poll(lives, { timeout: 20_000 }).toBe(2);
    await expect.poll(lives, { timeout: 30_000, interval: 300 }).toBe(1);
    // the one that stays may still be held up before it listens
    await expect.poll(() => existsSync(join(directory, socketName)), { timeout: 20_000 }).toBe(true);
  },
);
