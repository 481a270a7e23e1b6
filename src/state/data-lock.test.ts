import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockDataDirectory } from './data-lock.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let places = 0;
const place = (): string => join(root, String(++places));

describe('the lock of a data directory', () => {
  it('refuses a second agent at once and names the holder', async () => {
    const directory = place();
    const lock = await lockDataDirectory(directory, 'drover agent (one)');
    await expect(lockDataDirectory(directory, 'drover agent (two)')).rejects.toMatchObject({
      kind: 'conflict',
      message: `the data directory ${directory} is in use by drover agent (one) (pid ${process.pid})`,
    });
    await lock.release();
    const next = await lockDataDirectory(directory, 'drover agent (two)');
    await next.release();
  });

  it('refuses when only the lock file says so, as from another network namespace', async () => {
    const directory = place();
    const lock = await lockDataDirectory(directory, 'x');
    await lock.release();
    const other = spawn('sleep', ['60']);
    const stat = readFileSync(`/proc/${other.pid}/stat`, 'latin1');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const started = `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
    writeFileSync(join(directory, 'agent.lock'), JSON.stringify({ pid: other.pid, started, name: 'far agent' }));
    await expect(lockDataDirectory(directory, 'y')).rejects.toThrow(`in use by far agent (pid ${other.pid})`);
    other.kill('SIGKILL');
    await new Promise((resolve) => other.on('exit', resolve));
    await (await lockDataDirectory(directory, 'y')).release();
  });

  it.each([
    ['a process that is gone', { pid: 2 ** 22 - 1, started: '', name: 'x' }],
    ['a later process with the same number', { pid: 1, started: 'another boot 1', name: 'x' }],
    ['an agent that was killed while writing it', null],
  ])('takes over what %s left behind', async (_, holder) => {
    const directory = place();
    await (await lockDataDirectory(directory, 'x')).release();
    writeFileSync(join(directory, 'agent.lock'), holder === null ? '{"pi' : JSON.stringify(holder));
    await (await lockDataDirectory(directory, 'y')).release();
  });
});
