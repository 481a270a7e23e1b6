/** Figures about drivers in processes of their own: what the boundary costs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import * as wire from '../../dist/driver/gen/nomad/driver_pb.js';
import { launchPlugin } from '../../dist/driver-kit/remote/launch-plugin.js';
import { openPlugin } from '../../dist/driver-kit/remote/open-plugin.js';
import { defaultLimits } from '../../dist/driver-kit/remote/plugin-calls.js';
import { PluginFaults } from '../../dist/driver-kit/remote/plugin-faults.js';
import { channelOptions, receivingOptions, serviceDefinition, unary } from '../../dist/driver-kit/rpc.js';
import { silentLog } from '../../dist/lib/log.js';
import { createSupervisor } from '../../dist/supervise/supervisor.js';
import { Agent, memoryKb, quantile } from './agent.mjs';
import { sideBySide } from './tasks.mjs';

const drover = new URL('../../bin/drover.js', import.meta.url).pathname;
const never = new AbortController().signal;

function program(directory, file, driver) {
  const serve = `exec '${process.execPath}' '${drover}' driver serve -state-dir '${join(directory, `state-${file}`)}' ${driver}`;
  writeFileSync(join(directory, 'plugins', file), `#!/bin/sh\n${serve}\n`, { mode: 0o755 });
  return join(directory, 'plugins', file);
}

async function readyTime(supervisor, path, directory) {
  const from = performance.now();
  const options = { command: [path], env: { PATH: process.env.PATH }, directory, log: silentLog, supervisor };
  const plugin = await launchPlugin(options, never);
  const { target, credentials: channel } = plugin;
  const opened = await openPlugin(
    { target, credentials: channel, config: {}, configured: false, limits: defaultLimits, faults: new PluginFaults() },
    never,
  );
  const ms = performance.now() - from;
  const { rss } = memoryKb(plugin.pid);
  await opened.driver.close();
  await plugin.stop();
  return { ms, rss };
}

/** An empty and a big answer over a unix socket, between two processes' worth of our code in one. */
async function calls(report, directory) {
  const server = new Server(channelOptions);
  const small = create(wire.InspectTaskResponseSchema, { task: { id: 'a/b/c', name: 'b', state: 1 } });
  const big = create(wire.ExecTaskResponseSchema, { stdout: Buffer.alloc(8 * 1024 * 1024) });
  const never = () => {};
  const handlers = Object.fromEntries(wire.Driver.methods.map(({ localName }) => [localName, never]));
  server.addService(serviceDefinition(wire.Driver), {
    ...handlers,
    inspectTask: (_, callback) => callback(null, small),
    execTask: (_, callback) => callback(null, big),
  });
  const socket = `unix:${join(directory, 'bench.sock')}`;
  await new Promise((resolve, reject) =>
    server.bindAsync(socket, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  const client = new Client(socket, credentials.createInsecure(), receivingOptions);
  const inspect = () =>
    unary(client, wire.Driver.method.inspectTask, create(wire.InspectTaskRequestSchema, { taskId: 'a' }), AbortSignal.any([]), new Metadata());
  const times = [];
  for (let at = 0; at < 3000; at++) {
    const from = performance.now();
    await inspect();
    if (at >= 500) times.push(performance.now() - from);
  }
  report('unary call over the socket, p50', quantile(times, 0.5), 'ms');
  report('unary call over the socket, p99', quantile(times, 0.99), 'ms');
  const from = performance.now();
  const lane = async () => {
    for (let at = 0; at < 500; at++) await inspect();
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  report('unary calls, 16 at a time', (16 * 500) / ((performance.now() - from) / 1000), 'per second');
  const begun = performance.now();
  const request = create(wire.ExecTaskRequestSchema, { taskId: 'a' });
  for (let at = 0; at < 20; at++) await unary(client, wire.Driver.method.execTask, request, AbortSignal.any([]), new Metadata());
  report('answers of 8 MB', (20 * 8) / ((performance.now() - begun) / 1000), 'MB/s');
  client.close();
  server.forceShutdown();
}

async function agentStart(plugins, directory) {
  const config = {
    plugin_dir: join(directory, 'plugins'),
    plugin: { raw_exec: { config: { enabled: true } }, ...Object.fromEntries(plugins.map((name) => [name, {}])) },
  };
  const from = performance.now();
  const agent = await Agent.start(['-server', '-client'], config);
  return { agent, ms: performance.now() - from };
}

export async function plugins(report) {
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-plugins-'));
  mkdirSync(join(directory, 'plugins'));
  try {
    const path = program(directory, 'one', 'mock_driver');
    const ready = [];
    const supervisor = createSupervisor();
    for (let at = 0; at < 10; at++) ready.push(await readyTime(supervisor, path, join(directory, `run-${at}`)));
    await supervisor.close();
    report('a served driver, start → ready p50', quantile(ready.map(({ ms }) => ms), 0.5), 'ms');
    report('a served driver, RSS', quantile(ready.map(({ rss }) => rss), 0.5) / 1024, 'MB');
    await calls(report, directory);

    const five = ['one', 'two', 'three', 'four', 'five'];
    for (const name of five) program(directory, name, 'mock_driver');
    for (const [what, names] of [['without plugins', []], ['with 5 plugins', five]]) {
      const { agent, ms } = await agentStart(names, directory);
      report(`agent start ${what}, the first of a data directory`, ms, 'ms', { note: 'probes the host' });
      await agent.kill('SIGINT');
      const from = performance.now();
      await agent.again();
      report(`agent start ${what}, later`, performance.now() - from, 'ms');
      await agent.dispose();
    }

    const inside = await Agent.start();
    program(directory, 'raw_exec', 'raw_exec');
    const { agent: outside } = await agentStart([], directory);
    const [own, served] = await sideBySide([inside, outside], 'raw_exec', 60);
    await inside.dispose();
    await outside.dispose();
    report('raw_exec built in, submit → running p50', own.p50, 'ms');
    report('raw_exec as a plugin, submit → running p50', served.p50, 'ms', { most: 1.3 * own.p50, note: '1.3 × built in' });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
