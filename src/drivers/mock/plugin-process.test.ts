import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DriverPlugin } from '../../driver-kit/driver-plugin.ts';
import { externalDriver } from '../../driver-kit/remote/external-driver.ts';
import { launchPlugin } from '../../driver-kit/remote/launch-plugin.ts';
import { openRemoteDriver } from '../../driver-kit/remote/remote-driver.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { serveOnSocket } from '../../driver-kit/serve/serve.ts';
import { createLog, silentLog } from '../../lib/log.ts';
import { mockDriver } from './index.ts';

const never = new AbortController().signal;
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});

afterAll(() => host.close());

const launch = (script: string, handshakeMs = 5000) =>
  launchPlugin(
    {
      command: ['/bin/sh', '-c', script],
      env: { PATH: '/usr/bin:/bin' },
      directory: join(host.scratch.root, 'plugin'),
      handshakeMs,
      log: silentLog,
      supervisor: host.deps.supervisor,
    },
    never,
  );

test('a plugin that says where it listens is used, and ends when it is told', async () => {
  const serving = await serveOnSocket(mockDriver as unknown as DriverPlugin, host.deps);
  // the process is another than the server's: what counts here is its handshake, its chatter and its end
  const plugin = await launch(
    `[ "$NOMAD_PLUGIN_MAGIC_COOKIE" ] && [ -z "$HOME" ] && echo '1|2|unix|${serving.socketPath}|grpc|'; yes | head -c 1000000; exec sleep 60`,
  );
  const driver = await openRemoteDriver({ target: plugin.target, config: { fs_isolation: 'image' } }, never);
  expect(driver.info).toMatchObject({ name: 'mock_driver', filesystem: 'image' });
  await driver.close();
  await plugin.stop();
  await serving.ended;
  await plugin.ended;
  await serving.close();
});

test('a stream ends at once for a reader who had gone before it was asked for', async () => {
  const serving = await serveOnSocket(mockDriver as unknown as DriverPlugin, host.deps);
  const target = `unix:${serving.socketPath}`;
  const driver = await openRemoteDriver({ target, config: { fs_isolation: 'image' } }, never);
  const gone = AbortSignal.abort();
  const all = async (stream: AsyncIterable<unknown>) => {
    for await (const each of stream) return each;
    return 'ended';
  };
  expect(await all(driver.events!(gone))).toBe('ended');
  expect(await all(driver.fingerprint(gone))).toBe('ended');
  await driver.close();
  await serving.close();
});

test('who listens to a plugin that is being started, and says nothing, can go', async () => {
  const driver = externalDriver({
    fileName: 'mute',
    command: ['/bin/sleep', '600'],
    config: {},
    env: {},
    directory: join(host.scratch.root, 'mute'),
    log: silentLog,
    deps: host.deps,
  });
  const going = new AbortController();
  const events = (async () => {
    for await (const _ of driver.engine.events!(going.signal));
  })();
  await expect.poll(() => driver.problem).toMatch(/not said its handshake/);
  going.abort();
  await events;
  await driver.close();
});

test('what is no plugin is named, not waited for', async () => {
  await expect(launch('echo hello; sleep 60')).rejects.toThrow(/too few fields; is it a plugin.*hello/);
  await expect(launch('exit 3')).rejects.toThrow(/ended before its handshake/);
  await expect(launch('exec sleep 60', 200)).rejects.toThrow(/no handshake within 200 ms/);
  await expect(
    launchPlugin(
      {
        command: ['/no/such/plugin'],
        env: {},
        directory: join(host.scratch.root, 'none'),
        log: silentLog,
        supervisor: host.deps.supervisor,
      },
      never,
    ),
  ).rejects.toMatchObject({ kind: 'unavailable' });
});

test('a plugin on a TCP port is used as one on a socket is, and said to be open to the host', async () => {
  const serving = await serveOnSocket(mockDriver as unknown as DriverPlugin, host.deps);
  const relay = createServer((socket) =>
    socket
      .pipe(connect(serving.socketPath))
      .pipe(socket)
      .on('error', () => {}),
  );
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as { port: number };
  const said: string[] = [];
  const plugin = await launchPlugin(
    {
      command: ['/bin/sh', '-c', `echo '1|2|tcp|127.0.0.1:${port}|grpc'; exec sleep 60`],
      env: { PATH: '/usr/bin:/bin' },
      directory: join(host.scratch.root, 'tcp'),
      log: createLog('', ({ message }) => said.push(message), Date.now),
      supervisor: host.deps.supervisor,
    },
    never,
  );
  const driver = await openRemoteDriver({ target: plugin.target, config: { fs_isolation: 'image' } }, never);
  expect(driver.info).toMatchObject({ name: 'mock_driver' });
  expect(said).toContain('a plugin listens on a port without TLS: any process of this host can command it');
  await driver.close();
  await plugin.stop();
  relay.close();
  await serving.close();
});
