// What plugins write, and which of their processes an agent finds again.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog, type LogEntry } from '../../lib/log.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';
import { type LaunchedPlugin, type LaunchOptions, launchPlugin, reattachPlugin } from './launch-plugin.ts';
import { PluginOutput } from './plugin-output.ts';
import { tailFiles } from './tail-files.ts';

const never = new AbortController().signal;
const handshake = "echo '1|2|unix|/nobody/listens|grpc|'";
let host: ScratchHost;
const entries: LogEntry[] = [];

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});

afterAll(() => host.close());

function options(name: string, script: string): LaunchOptions {
  return {
    command: ['/bin/sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    directory: join(host.scratch.root, name),
    log: createLog('', (entry) => entries.push(entry), Date.now),
    supervisor: host.deps.supervisor,
  };
}

async function used(of: LaunchOptions): Promise<LaunchedPlugin> {
  const plugin = await launchPlugin(of, never);
  plugin.use();
  return plugin;
}

const sizeOf = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

test('what is written while no agent runs ends nobody, fills no disk, and what of it is lost is counted', async () => {
  const marks = join(host.scratch.root, 'marks');
  mkdirSync(marks);
  const waits = `while [ ! -e '${marks}/gone' ]; do sleep 0.05; done`;
  const line = 'x'.repeat(99);
  const floods = `yes ${line} | head -c 64000000 >&2; yes ${line} | head -c 64000000; echo last words >&2`;
  const of = options('flood', `${handshake}; echo first >&2; ${waits}; ${floods}; : > '${marks}/done'; exec sleep 600`);
  const before = await used(of);
  await expect.poll(() => entries.map(({ message }) => message), { timeout: 10_000 }).toContain('first');
  await before.detach();
  entries.length = 0;
  writeFileSync(join(marks, 'gone'), '');
  await expect.poll(() => existsSync(join(marks, 'done')), { timeout: 60_000 }).toBe(true);
  expect(sizeOf(of.directory)).toBeLessThan(18 * 1024 * 1024);

  const after = await reattachPlugin(of);
  expect(after).toMatchObject({ pid: before.pid, reattached: true });
  await after!.stop();
  const lost = entries.flatMap(({ fields }) => (typeof fields['bytes'] === 'number' ? [fields['bytes']] : []));
  const read = entries.filter(({ message }) => message === line).length * 100;
  expect(entries.map(({ message }) => message)).not.toContain('first');
  const missing = 64_000_000 - read - lost.reduce((sum, bytes) => sum + bytes, 0);
  // of lines that were cut at the edges
  expect(Math.abs(missing)).toBeLessThan(2000);
  expect(readdirSync(of.directory).filter((name) => /^(std|collector|plugin)/.test(name))).toEqual([]);
}, 120_000);

test('a collector that two end at the same time ends once, and neither is told of an error', async () => {
  for (let round = 0; round < 20; round++) {
    const output = new PluginOutput(host.deps.supervisor, host.scratch.root, `both${round}`);
    const [stdout, stderr] = await output.open();
    await Promise.all([stdout.close(), stderr.close()]);
    const pause = sleep(round % 10);
    await Promise.all([output.end(), pause.then(() => output.isCollected()), pause.then(() => output.remove())]);
    expect(await output.isCollected()).toBe(false);
  }
}, 60_000);

test('a process that an agent had not begun to use when it died is ended by the next', async () => {
  const of = options('unused', 'exec sleep 600');
  const launch = launchPlugin(of, never);
  const told = expect(launch).rejects.toThrow(/ended before its handshake/);
  await expect.poll(() => existsSync(join(of.directory, 'plugin.new.json'))).toBe(true);
  expect(await reattachPlugin(of)).toBeNull();
  await told;
});

test('what a plugin’s shell started ends with a launch that fails', async () => {
  const marks = join(host.scratch.root, 'pids');
  const of = options('wrapped', `sleep 600 & echo $! > '${marks}'; sleep 600; true`);
  await expect(launchPlugin({ ...of, handshakeMs: 1000 }, never)).rejects.toThrow(/no handshake within/);
  const pid = Number(readFileSync(marks, 'utf8'));
  await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
});

test('a new version that does not come to be used leaves the old one to be found again', async () => {
  const of = options('versions', `${handshake}; exec sleep 600`);
  const old = await used(of);
  const next = await launchPlugin(of, never);
  await next.stop();
  const found = await reattachPlugin(of);
  expect(found?.pid).toBe(old.pid);
  await found!.stop();
});

test('a plugin whose output nobody collects any more is not taken up', async () => {
  const of = options('uncollected', `${handshake}; exec sleep 600`);
  const plugin = await used(of);
  const collector = readdirSync(of.directory).find((name) => name.startsWith('collector.'))!;
  const found = await host.deps.supervisor.recover(join(of.directory, collector));
  if (found.state !== 'present') throw new Error(found.state);
  process.kill(found.shim.pid, 'SIGKILL');
  found.shim.close();
  await expect
    .poll(async () => (await host.deps.supervisor.recover(join(of.directory, collector))).state)
    .toBe('ended');
  expect(await reattachPlugin(of)).toBeNull();
  await plugin.ended;
});

test('lines are read across files, pauses within a letter, and readers', async () => {
  const path = join(host.scratch.root, 'lines');
  const lines: string[] = [];
  const letter = Buffer.from('ü');
  const open = () => tailFiles(path, (text) => lines.push(text));
  const first = await open();
  appendFileSync(`${path}.0`, 'one\nt');
  appendFileSync(`${path}.0`, letter.subarray(0, 1));
  await expect.poll(() => lines).toEqual(['one']);
  appendFileSync(`${path}.1`, Buffer.concat([letter.subarray(1), Buffer.from('\nthree\nfo')]));
  await expect.poll(() => lines).toEqual(['one', 'tü', 'three']);
  rmSync(`${path}.0`);
  await first.close();
  expect(lines.splice(0)).toEqual(['one', 'tü', 'three', 'fo']);
  appendFileSync(`${path}.1`, 'ur\n');
  const second = await open();
  await second.close();
  expect(lines).toEqual(['four']);
});
