import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trialImage, tryMachine } from './trial-machine.ts';

const never = new AbortController().signal;
const image = Buffer.from('an image');

test('a trial says its code and its last line; one that hangs is ended by its time, one given up says nothing', async () => {
  expect(await tryMachine('/bin/sh', ['-c', 'echo a >&2; echo b >&2; exit 33'], image, never)).toEqual({
    code: 33,
    stderr: 'b',
  });
  expect(await tryMachine('/bin/sh', ['-c', 'while :; do :; done'], image, never, 1)).toMatchObject({ code: null });
  await expect(tryMachine('/bin/sh', ['-c', 'sleep 60'], image, AbortSignal.timeout(100))).rejects.toThrow('aborted');
});

test('an emulator reads the image it is given', async () => {
  expect(await tryMachine('/bin/sh', ['-c', `cat ${trialImage} >&2`], image, never)).toEqual({
    code: 0,
    stderr: 'an image',
  });
});

test('a trial that is given up has ended when that is told', async () => {
  const file = `/tmp/drover-trial-${process.pid}`;
  const stop = new AbortController();
  const stubborn = `trap '' TERM; echo $$ > ${file}; while :; do sleep 0.05; done`;
  const tried = tryMachine('/bin/sh', ['-c', stubborn], image, stop.signal, 100);
  const pid = () => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');
  await expect.poll(pid, { timeout: 60_000 }).toMatch(/^\d+$/);
  // of what has ended and is not waited for there is no command line
  const runs = () => existsSync(`/proc/${pid()}`) && readFileSync(`/proc/${pid()}/cmdline`, 'utf8') !== '';
  expect(runs()).toBe(true);
  stop.abort();
  await expect(tried).rejects.toThrow('aborted');
  expect(runs()).toBe(false);
  rmSync(file);
});

test('a trial ends in its time also when who began it was killed, and leaves no file', async () => {
  const module = join(import.meta.dirname, '../../../dist/drivers/qemu/trial-machine.js');
  const code = `import { trialImage, tryMachine } from ${JSON.stringify(module)};
    const spin = ['-c', 'echo $$ > "$0"; while :; do :; done', process.argv[1]];
    await tryMachine('/bin/sh', spin, Buffer.from('image'), new AbortController().signal, 2);`;
  const file = `/tmp/drover-trial-${process.pid}`;
  const place = mkdtempSync('/tmp/drover-trials-');
  const env = { ...process.env, TMPDIR: place };
  const agent = spawn(process.execPath, ['--input-type=module', '-e', code, file], { env });
  await expect
    .poll(() => (existsSync(file) ? readFileSync(file, 'utf8').trim() : ''), { timeout: 20_000 })
    .toMatch(/^\d+$/);
  const pid = readFileSync(file, 'utf8').trim();
  rmSync(file);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  expect(existsSync(`/proc/${pid}`), 'it is orphaned, and spins').toBe(true);
  rmdirSync(place);
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false);
});
