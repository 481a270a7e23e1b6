import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { spawn } from './spawn.ts';

const openFiles = (): number => readdirSync('/proc/self/fd').length;
const limit = (soft: string): unknown => execFileSync('prlimit', [`--pid=${process.pid}`, `--nofile=${soft}:`]);

/** While this process can open no more files. */
function withoutDescriptors(work: () => void): void {
  const before = execFileSync('prlimit', [`--pid=${process.pid}`, '--nofile', '--noheadings', '--output=SOFT'], {
    encoding: 'utf8',
  }).trim();
  limit(String(openFiles() + 64));
  const held: number[] = [];
  try {
    expect(() => {
      for (;;) held.push(openSync('/dev/null', 'r'));
    }).toThrow('EMFILE');
    work();
  } finally {
    for (const file of held) closeSync(file);
    limit(before);
  }
}

describe.skipIf(process.platform !== 'linux')('starting a process', () => {
  it('is a fault where no more files can be opened, and ends nobody', async () => {
    const begin = () => spawn('/bin/true', [], { stdio: ['pipe', 'pipe', 'ignore'] });
    withoutDescriptors(() => expect(begin).toThrow('/bin/true cannot be run: too many files are open'));
    // an event without a listener would come by now
    const code = await new Promise((resolve) => begin().on('exit', resolve));
    expect(code).toBe(0);
  });

  it('tells of a program that is not there as Node does', async () => {
    const child = spawn('/nowhere/program', [], { stdio: 'ignore' });
    const error = await new Promise((resolve) => child.on('error', resolve));
    expect(error).toMatchObject({ code: 'ENOENT' });
  });

  it('makes no child of what could not be started whose end reaches others', async () => {
    let reached = 0;
    const note = () => reached++;
    process.on('SIGWINCH', note);
    try {
      // it is there, and may not be executed
      const child = spawn('/dev/null', [], { stdio: 'ignore' });
      const failed = new Promise((resolve) => child.on('error', resolve));
      expect(child.kill('SIGWINCH')).toBe(false);
      await failed;
      await sleep(100);
      expect(reached).toBe(0);
      // control: what this process is sent is noted
      process.kill(process.pid, 'SIGWINCH');
      await expect.poll(() => reached).toBe(1);
    } finally {
      process.off('SIGWINCH', note);
    }
  });
});
