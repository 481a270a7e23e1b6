// A driver of the kit under a host of another make: pipes that may fill, close and die, and the whole environment of an agent.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { EngineDriver } from '../../driver/contract.ts';
import { cookie } from '../../driver/handshake.ts';
import { parsePluginLine } from '../../driver/hclog.ts';
import { openRemoteDriver } from '../remote/remote-driver.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';

const never = new AbortController().signal;
const drover = join(import.meta.dirname, '../../../bin/drover.js');
const opened: Plugin[] = [];
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});

afterEach(() => {
  for (const { child } of opened.splice(0)) child.kill('SIGKILL');
});

afterAll(() => host.close());

interface Plugin {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What it has written until now. */
  said(stream: 'stdout' | 'stderr'): string;
  /** Configured; once it has said its handshake. */
  driver(): Promise<EngineDriver>;
}

function start(words: readonly string[], env: Readonly<Record<string, string>> = {}): Plugin {
  const child = spawn(process.execPath, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env, [cookie.name]: cookie.value },
  });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (texts.stdout += data));
  child.stderr.on('data', (data) => (texts.stderr += data));
  const plugin: Plugin = {
    child,
    said: (stream) => texts[stream],
    async driver() {
      await expect.poll(() => texts.stdout, { timeout: 60_000 }).toContain('\n');
      const [, , , socket = ''] = texts.stdout.split('|');
      return openRemoteDriver({ target: `unix:${socket}`, config: {} }, never);
    },
  };
  opened.push(plugin);
  return plugin;
}

/** A file of an author's; its tasks run `script` after `before` was said and done. */
function author(name: string, whileLoaded: string, script: string, before = ''): string[] {
  const file = join(host.scratch.root, `${name}.mjs`);
  writeFileSync(
    file,
    `import { spawn } from 'node:child_process';
import { stdout } from 'node:process';
import { defineDriver } from 'drover/driver';
${whileLoaded}
export default defineDriver({
  name: ${JSON.stringify(name)}, version: '1.0.0', config: {},
  fingerprint() { console.log('words of a report'); process.stdout.write('bytes of a report\\n'); return {}; },
  start() { ${before}; return { command: '/bin/sh', args: ['-c', ${JSON.stringify(script)}] }; },
});
`,
  );
  return [drover, 'driver', 'serve', '-state-dir', join(host.scratch.root, `${name}-state`), file];
}

/** Each way to stdout that Node's streams have, once. */
const everyWay = `
console.log('by console.log'); console.info('by console.info'); console.table([{ a: 'by console.table' }]);
console.dir('by console.dir'); console.group('by console.group'); console.count('by console.count');
process.stdout.write('by write\\n'); stdout.write(Buffer.from('by an import\\n'));
await new Promise((done) => process.stdout.write('by write with an answer\\n', done));
spawn('echo', ['by a child']).stdout.pipe(process.stdout);
spawn('sh', ['-c', 'yes by a flood | head -c 300000']).stdout.pipe(process.stdout);
await new Promise((done) => setTimeout(done, 300));
`;

test('an author’s words go to stderr by whatever way, before the handshake and after: stdout is one line', async () => {
  const plugin = start(author('loud', everyWay, 'exit 6', `console.log('words of a start'); process.stdout.end()`));
  const driver = await plugin.driver();
  for await (const report of driver.fingerprint(never)) {
    expect(report.health).toBe('healthy');
    break;
  }
  const task = await host.scratch.task({});
  await driver.start(task, never);
  expect(await driver.wait(task.id, never)).toMatchObject({ exitCode: 6 });
  await driver.destroy(task.id, { force: false }, never);
  const ways = 'log info table dir group count'.split(' ').map((each) => `by console.${each}`);
  const others = ['by write\n', 'by an import', 'with an answer', 'by a child', 'by a flood\n'.repeat(20_000)];
  const later = ['words of a report', 'bytes of a report', 'words of a start'];
  for (const words of [...ways, ...others, ...later])
    await expect.poll(() => plugin.said('stderr').includes(words), { message: words.slice(0, 40) }).toBe(true);
  expect(plugin.said('stdout')).toMatch(/^1\|2\|unix\|[^|\n]+\|grpc\|\n$/);
  await driver.close();

  // the control: the same words of a program that is no plugin
  const bare = join(host.scratch.root, 'bare.mjs');
  writeFileSync(
    bare,
    `import { spawn } from 'node:child_process';\nimport { stdout } from 'node:process';\n${everyWay}`,
  );
  const { stdout } = spawnSync(process.execPath, [bare], { encoding: 'utf8' });
  for (const words of [...ways, ...others]) expect(stdout).toContain(words);
}, 120_000);

test('a host that dies while the plugin writes ends neither the plugin nor its tasks', async () => {
  const floods = `setInterval(() => { for (let at = 0; at < 200; at++) console.error('x'.repeat(1000)); console.log('y'); }, 20);`;
  const plugin = start(author('writes', floods, 'while :; do echo >> "$MARKS"; sleep 0.05; done'));
  const driver = await plugin.driver();
  const task = await host.scratch.task({});
  const marks = join(task.directories.local, 'marks');
  await driver.start({ ...task, env: { ...task.env, MARKS: marks } }, never);
  // nobody reads any more: what the end of a host is to its plugins
  plugin.child.stdout.destroy();
  plugin.child.stderr.destroy();
  await new Promise((done) => setTimeout(done, 2000));
  const before = readFileSync(marks).length;
  await expect.poll(() => readFileSync(marks).length).toBeGreaterThan(before);
  expect([plugin.child.exitCode, plugin.child.signalCode]).toEqual([null, null]);
  expect((await driver.inspect(task.id, never)).state).toBe('running');
  await driver.destroy(task.id, { force: true }, never);
  await driver.close();

  // the control: the same words of a program that does not expect it
  const bare = start(['-e', `console.log(''); ${floods.replace('console.error(', 'process.stderr.write(')}`]);
  await expect.poll(() => bare.said('stdout')).not.toBe('');
  bare.child.stdout.destroy();
  bare.child.stderr.destroy();
  await expect.poll(() => bare.child.exitCode).toBe(1);
}, 120_000);

test('a host’s other ways: Ctrl-C at its terminal, a question about multiplexing, messages beyond what libraries allow', async () => {
  const plugin = start(author('ways', '', 'exit 3'), { PLUGIN_MULTIPLEX_GRPC: 'true' });
  const driver = await plugin.driver();
  expect(plugin.said('stdout')).toMatch(/^1\|2\|unix\|[^|]+\|grpc\|\|false\n$/);
  for (let count = 0; count < 3; count++) plugin.child.kill('SIGINT');
  // 4 MB is what gRPC takes by itself
  await expect(driver.inspect('x'.repeat(6_000_000), never)).rejects.toMatchObject({ kind: 'not_found' });
  const task = await host.scratch.task({});
  await driver.start(task, never);
  expect(await driver.wait(task.id, never)).toMatchObject({ exitCode: 3 });
  await driver.destroy(task.id, { force: false }, never);
  await driver.close();
  expect(plugin.child.exitCode).toBeNull();
}, 120_000);

test('an error that nobody awaits ends the process with a line that hosts show as an error', async () => {
  const forgets = `process.on('SIGUSR2', () => { throw new Error('nobody\\nawaited this'); });`;
  const plugin = start(author('forgets', forgets, 'sleep 1'));
  const driver = await plugin.driver();
  const task = await host.scratch.task({});
  await driver.start(task, never);
  plugin.child.kill('SIGUSR2');
  await expect.poll(() => plugin.child.exitCode).toBe(1);
  const lines = plugin.said('stderr').trim().split('\n').map(parsePluginLine);
  expect(lines.at(-1)).toMatchObject({
    level: 'error',
    message: 'the driver failed outside of its hooks, and ends: nobody\nawaited this',
    fields: { stack: expect.stringContaining('forgets.mjs:') },
  });
  await driver.close();
}, 120_000);

test('what the host has in its environment is not in its tasks’', async () => {
  const preload = join(host.scratch.root, 'preload.cjs');
  writeFileSync(preload, '');
  const agents = {
    NODE_OPTIONS: `--require ${preload}`,
    NODE_EXTRA_CA_CERTS: '/dev/null',
    LD_LIBRARY_PATH: '/x',
    VAULT_TOKEN: 's',
  };
  const plugin = start(author('env', '', 'env > "$NOMAD_TASK_DIR/env"'), agents);
  const driver = await plugin.driver();
  const task = await host.scratch.task({});
  const file = join(task.directories.local, 'env');
  await driver.start({ ...task, env: { ...task.env, NOMAD_TASK_DIR: task.directories.local, GIVEN: 'yes' } }, never);
  expect(await driver.wait(task.id, never)).toMatchObject({ exitCode: 0 });
  const seen = readFileSync(file, 'utf8');
  expect(seen).toContain('GIVEN=yes');
  for (const name of [...Object.keys(agents), cookie.name, 'PLUGIN_']) expect(seen).not.toContain(name);
  // the control: the plugin has them
  const own = readFileSync(`/proc/${plugin.child.pid}/environ`, 'utf8');
  for (const name of Object.keys(agents)) expect(own).toContain(`${name}=`);
  await driver.destroy(task.id, { force: false }, never);
  await driver.close();
}, 120_000);
