// Plugins that say where they listen in other words than ours, and what ours does with its own words.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog, type LogEntry } from '../../lib/log.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';
import { type ExternalDriver, externalDriver } from './external-driver.ts';
import { defaultLimits } from './plugin-calls.ts';

const never = new AbortController().signal;
const drover = join(import.meta.dirname, '../../../bin/drover.js');
const files = mkdtempSync(join(tmpdir(), 'drover-handshakes-'));
const entries: LogEntry[] = [];
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});

afterAll(async () => {
  await host.close();
  rmSync(files, { recursive: true, force: true });
});

function open(name: string, command: readonly string[], limits = defaultLimits): ExternalDriver {
  return externalDriver({
    limits,
    fileName: name,
    command,
    config: {},
    env: { PATH: process.env['PATH'] ?? '' },
    directory: join(files, name),
    log: createLog('plugin', (entry) => entries.push(entry), Date.now),
    deps: host.deps,
  });
}

const serve = (name: string, driver: string) => [
  process.execPath,
  ...[drover, 'driver', 'serve', '-state-dir', join(files, `${name}-state`), driver],
];

/** What a plugin wrote first. */
function handshakeOf(name: string): string {
  const output = readdirSync(join(files, name)).find((each) => /^stdout\..*\.0$/.test(each));
  return readFileSync(join(files, name, output!), 'utf8').split('\n')[0]!;
}

/** Stands before a plugin of ours, listens for it, and says so in five fields, as the first plugins did. */
const before = (name: string, listen: string, said: string): string => `#!/usr/bin/env node
const { spawn } = require('node:child_process');
const net = require('node:net');
const [program, ...words] = ${JSON.stringify(serve(name, 'mock_driver'))};
const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
child.on('exit', () => process.exit(0));
process.on('SIGINT', () => {});
child.stdout.once('data', (line) => {
  const socket = line.toString().split('|')[3];
  const server = net.createServer((host) => {
    const plugin = net.connect(socket);
    for (const [from, to] of [[host, plugin], [plugin, host]]) from.on('error', () => to.destroy()).pipe(to);
  });
  server.listen(${listen}, () => console.log(${said}));
});
`;

test.each([
  [
    'tcp',
    '0, "127.0.0.1"',
    '"1|2|tcp|127.0.0.1:" + server.address().port + "|grpc"',
    /^1\|2\|tcp\|127\.0\.0\.1:\d+\|grpc$/,
  ],
  ['unix', JSON.stringify(join(files, 'own.sock')), `"1|2|unix|${join(files, 'own.sock')}|grpc"`, /own\.sock\|grpc$/],
])('a plugin that listens by %s and says five fields runs tasks', async (name, listen, said, handshake) => {
  writeFileSync(join(files, `${name}.cjs`), before(name, listen, said), { mode: 0o755 });
  const driver = open(name, [join(files, `${name}.cjs`)]);
  try {
    await driver.open();
    expect([driver.problem, driver.engine.info.name]).toEqual([null, 'mock_driver']);
    expect(handshakeOf(name)).toMatch(handshake);
    const decoded = driver.decodeTemplates({ run_for: '10ms', exit_code: 5 }, new Map());
    if (!decoded.ok) throw new Error(decoded.problems.join('; '));
    const task = await host.scratch.task(decoded.value);
    await driver.engine.start(task, never);
    expect(await driver.engine.wait(task.id, never)).toMatchObject({ exitCode: 5 });
    await driver.engine.destroy(task.id, { force: false }, never);
  } finally {
    await driver.close();
  }
});

test('a driver of the kit listens where its user alone gets, keeps its author’s words off stdout, and leaves no socket', async () => {
  writeFileSync(
    join(files, 'loud.mjs'),
    `import { defineDriver } from 'drover/driver';
console.log('words while it is loaded');
export default defineDriver({ name: 'loud', version: '1.0.0', config: {}, start: () => ({ command: 'true' }) });
`,
  );
  const driver = open('loud', serve('loud', join(files, 'loud.mjs')));
  await driver.open();
  expect([driver.problem, driver.engine.info.name]).toEqual([null, 'loud']);
  const [, , , socket = ''] = handshakeOf('loud').split('|');
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
  await expect.poll(() => entries.map(({ message }) => message).join('\n')).toContain('words while it is loaded');
  await driver.close();
  expect([existsSync(socket), existsSync(dirname(socket))]).toEqual([false, false]);
});

test('a plugin whose shell did not exec it does not live on without the shell, and is started again', async () => {
  const words = serve('shell', 'mock_driver').map((word) => `'${word}'`);
  const driver = open('shell', [
    '/bin/sh',
    '-c',
    `${words.join(' ')} & echo $! > '${join(files, 'inner')}'; wait; true`,
  ]);
  await driver.open();
  expect(driver.problem).toBeNull();
  const { pid } = driver.status();
  const inner = readFileSync(join(files, 'inner'), 'utf8').trim();
  expect(inner).not.toBe(String(pid));
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => existsSync(`/proc/${inner}`), { timeout: 20_000 }).toBe(false);
  await expect.poll(() => [driver.problem, driver.status().pid === pid], { timeout: 60_000 }).toEqual([null, false]);
  await driver.close();
  const last = readFileSync(join(files, 'inner'), 'utf8').trim();
  await expect.poll(() => existsSync(`/proc/${last}`)).toBe(false);
});

test('a driver may take its options slowly, for it may look at its engine first: no other call may take that long', async () => {
  const wait = (name: string): string =>
    `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000); return ${name}`;
  const limits = { ...defaultLimits, questionMs: 3000 };
  const slow = async (name: string, change: string) => {
    writeFileSync(
      join(files, `${name}.mjs`),
      `import { defineDriver } from 'drover/driver';
const own = defineDriver({ name: ${JSON.stringify(name)}, version: '1.0.0', config: {}, start: () => ({ command: 'true' }) });
export default { ...own, ${change} };
`,
    );
    const driver = open(name, serve(name, join(files, `${name}.mjs`)), limits);
    await driver.open();
    const { problem } = driver;
    await driver.close();
    return problem;
  };
  expect(await slow('slow-options', `create(...given) { ${wait('own.create(...given)')}; }`)).toBeNull();
  expect(await slow('slow-schema', `get taskSchema() { ${wait('own.taskSchema')}; }`)).toMatch(/TaskConfigSchema/);
});

test('a plugin whose socket is a directory is one that cannot be used, and nothing else', async () => {
  const script =
    '#!/bin/sh\nmkdir "$PLUGIN_UNIX_SOCKET_DIR/d"; echo "1|2|unix|$PLUGIN_UNIX_SOCKET_DIR/d|grpc"; exec sleep 60\n';
  writeFileSync(join(files, 'directory.sh'), script, { mode: 0o755 });
  const driver = open('directory', [join(files, 'directory.sh')], { ...defaultLimits, questionMs: 1_000 });
  await driver.open();
  expect(driver.problem).toMatch(/./);
  await driver.close();
  // what nobody waits for would be heard of by now
  await new Promise((resolve) => setTimeout(resolve, 50));
});
