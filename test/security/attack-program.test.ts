/** What the attacks say of one that did not come to its end. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { attempts, compileAttacks } from './attack-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'drover-attack-program-'));
const program = join(folder, 'attack');
beforeAll(() => compileAttacks(program));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of one attack, in a shell after `before`. */
function outcomeOf(name: string, words: readonly string[], before = ''): string | undefined {
  const script = `${before} exec "$0" run only="$1" "$@"`;
  const { stdout } = spawnSync('sh', ['-c', script, program, name, `scratch=${folder}`, ...words], {
    encoding: 'utf8',
  });
  return attempts(stdout).map(({ outcome }) => outcome)[0];
}

it('that could not begin, or was ended from outside, is not called stopped', () => {
  const memory = ['use memory without end', 'memory_mb=8'] as const;
  expect(outcomeOf('trace its own child', [])).toBe('through');
  expect(outcomeOf('trace its own child', ['scratch=/nonexistent'])).toBe('hung');
  expect(outcomeOf(memory[0], [memory[1]])).toBe('through');
  // a limit of its own: what it asks for is refused
  expect(outcomeOf(memory[0], ['memory_mb=64'], 'ulimit -v 32768;')).toBe('stopped');
});

it.skipIf(process.getuid?.() !== 0)('that met a host which is full before its own limit is not called stopped', () => {
  // as a user of nobody's, of whom there may be so few
  const full = (most: number): string =>
    `exec setpriv --reuid=61239 --regid=61239 --clear-groups prlimit --nproc=${most} "$0" run only="$1" "$@";`;
  const name = 'make processes without end';
  spawnSync('chmod', ['755', folder]);
  expect(outcomeOf(name, ['processes=40'], full(8))).toBe('hung');
  expect(outcomeOf(name, ['processes=40'], full(30))).toBe('stopped');
  expect(outcomeOf(name, ['processes=40'], full(100))).toBe('through');
});
