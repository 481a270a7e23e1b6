// Images from a registry on the loopback of the daemon's own network, from a tar, by digest; credentials from each place.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DriverEvent, EngineDriver } from '../../driver/contract.ts';
import { parseImageName, referenceOf } from '../../driver-kit/container-engine/image-name.ts';
import { PullProgress } from '../../driver-kit/container-engine/pull-progress.ts';
import { authHeader, registryAuth } from '../../driver-kit/container-engine/registry-auth.ts';
import { lackingForDaemon, lackingForPodman, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { openHook } from './evil-proxy.ts';
import { ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
const port = 5_000;
const registry = `127.0.0.1:${port}`;
const engines = [
  { engine: 'docker', lacking: lackingForDaemon },
  { engine: 'podman', lacking: lackingForPodman },
] as const;
let scratch: ScratchDocker;
let engine: EngineDriver;
const closed = `127.0.0.1:${port + 1}`;
let servers: ChildProcess[] = [];
let log = '';
let saved: string;

async function open(name: (typeof engines)[number]['engine']): Promise<void> {
  scratch = await ScratchDocker.open({ engine: name });
  engine = scratch.driver().engine;
  const directory = join(scratch.daemon.root, 'registry');
  saved = await makeRegistry(directory);
  const program = join(import.meta.dirname, 'scratch-registry.mjs');
  for (const args of [[String(port)], [String(port + 1), 'closed'], [String(port + 2)]]) {
    const inside = [`--net=/proc/${scratch.daemon.pid}/ns/net`, process.execPath, program, directory, ...args];
    const server = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'inherit'] });
    server.stdout.on('data', (part: Buffer) => {
      log += part.toString();
    });
    servers.push(server);
  }
  while (log.split('listening').length < 4) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function close(): Promise<void> {
  for (const server of servers) server.kill();
  servers = [];
  log = '';
  await scratch?.close();
}

const sha = (data: Uint8Array): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** The local image as a registry holds it; gives the path of its tar. */
async function makeRegistry(directory: string): Promise<string> {
  await mkdir(directory);
  const tar = join(scratch.daemon.root, 'saved.tar');
  const name = scratch.daemon.engine === 'podman' ? `localhost/${scratchImage}` : scratchImage;
  const answer = await scratch.daemon.client.stream('GET', `/images/${encodeURIComponent(name)}/get`, {
    signal: never,
  });
  const parts: Buffer[] = [];
  for await (const part of answer as AsyncIterable<Buffer>) parts.push(part);
  await writeFile(tar, Buffer.concat(parts));
  const open = join(scratch.daemon.root, 'saved');
  await mkdir(open);
  execFileSync('tar', ['-xf', tar, '-C', open]);
  const [image] = JSON.parse(await readFile(join(open, 'manifest.json'), 'utf8'));
  const blob = async (data: Uint8Array) => {
    await writeFile(join(directory, sha(data).replace(':', '-')), data);
    return { size: data.length, digest: sha(data) };
  };
  const config = {
    mediaType: 'application/vnd.docker.container.image.v1+json',
    ...(await blob(await readFile(join(open, image.Config)))),
  };
  const layers = [];
  for (const name of image.Layers)
    layers.push({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      ...(await blob(gzipSync(await readFile(join(open, name))))),
    });
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  await writeFile(join(directory, 'manifest.json'), manifest);
  await writeFile(join(directory, 'digest'), sha(manifest));
  return tar;
}

async function runs(config: Record<string, unknown>, by = engine): Promise<readonly DriverEvent[]> {
  const stop = new AbortController();
  const events: DriverEvent[] = [];
  const listening = (async () => {
    for await (const event of by.events!(stop.signal)) events.push(event);
  })();
  const of = await scratch.task(shell('echo it runs', config));
  try {
    const { exit, stdout } = await scratch.run(by, of);
    expect(exit).toMatchObject({ exitCode: 0 });
    expect(stdout).toBe('it runs\n');
  } finally {
    stop.abort();
    await listening;
  }
  return events.filter((event) => event.taskId === of.id);
}
const pulls = (name: string): number => log.split(`GET /v2/${name}/manifests/`).length - 1;

describe.each(engines)('images of $engine', { timeout: 120_000 }, ({ engine: name, lacking }) => {
  const here = test.skipIf(lacking.length > 0);
  beforeAll(() => (lacking.length > 0 ? undefined : open(name)), 120_000);
  afterAll(close, 60_000);

  here('are pulled when they are not there, with an event, once, and again where that is forced', async () => {
    const image = `${registry}/open/app:1`;
    const events = await runs({ image });
    expect(events[0]).toMatchObject({ message: 'Downloading image', annotations: { image } });
    const after = pulls('open/app');
    expect(await runs({ image })).toEqual([]);
    expect(pulls('open/app')).toBe(after);
    expect((await runs({ image, force_pull: true })).length).toBeGreaterThan(0);
  });

  here('are pulled once for all who want them at the same time', async () => {
    const image = `${registry}/open/many:1`;
    const tasks = await Promise.all([1, 2, 3, 4].map(() => scratch.task(shell('true', { image }))));
    await Promise.all(tasks.map((of) => engine.start(of, never)));
    expect(log.match(/(GET|HEAD) \/v2\/open\/many\/manifests\/1\n/g)!.length).toBeLessThanOrEqual(2);
    for (const of of tasks) await engine.destroy(of.id, { force: true }, never);
  });

  here('are found by digest', async () => {
    const digest = await readFile(join(scratch.daemon.root, 'registry', 'digest'), 'utf8');
    await runs({ image: `${registry}/open/pinned@${digest}` });
  });

  here('that are not there fail the start, which may be tried again', async () => {
    const of = await scratch.task(shell('true', { image: `${registry}/open/app:none` }));
    await expect(engine.start(of, never)).rejects.toMatchObject({
      recoverable: true,
      message: expect.stringContaining(`${registry}/open/app:none`),
    });
  });

  here('are loaded from a tar in the task directory, which may be no link to elsewhere', async ({ skip }) => {
    if (name === 'podman') skip('its option is another: tried with the others');
    const of = await scratch.task(shell('echo loaded', { load: 'local/image.tar', image: scratchImage }));
    await copyFile(saved, join(of.directories.local, 'image.tar'));
    expect((await scratch.run(engine, of)).stdout).toBe('loaded\n');
    const missing = await scratch.task(shell('true', { load: 'local/none.tar' }));
    await expect(engine.start(missing, never)).rejects.toMatchObject({ kind: 'not_found' });
    const sly = await scratch.task(shell('true', { load: 'local/link.tar' }));
    await (await import('node:fs/promises')).symlink(saved, join(sly.directories.local, 'link.tar'));
    await expect(engine.start(sly, never)).rejects.toThrow();
  });

  here(
    'of a closed registry need credentials: of the task, of a file, of a helper; without them it says so',
    async () => {
      const image = (name: string): string => `${closed}/app/${name}:1`;
      const without = await scratch.task(shell('true', { image: image('none') }));
      await expect(engine.start(without, never)).rejects.toThrow(/cannot be pulled/);
      const me = { username: 'me', password: 'secret' };
      if (name === 'podman') await runs({ image: image('task'), auth: [me] });
      else await runs({ image: image('task'), auth: [{ ...me, email: 'me@example.test', server_address: closed }] });
      const file = join(scratch.daemon.root, 'config.json');
      await writeFile(
        file,
        JSON.stringify({ auths: { [closed]: { auth: Buffer.from('me:secret').toString('base64') } } }),
      );
      await runs({ image: image('file') }, scratch.driver({ auth: [{ config: file }] }).engine);
      const bin = join(scratch.daemon.root, 'bin');
      await mkdir(bin, { recursive: true });
      await writeFile(
        join(bin, 'docker-credential-test'),
        '#!/bin/sh\ncat > /dev/null\necho \'{"Username":"me","Secret":"secret"}\'\n',
      );
      await chmod(join(bin, 'docker-credential-test'), 0o755);
      const path = process.env['PATH'];
      process.env['PATH'] = `${bin}:${path}`;
      try {
        await runs({ image: image('helper') }, scratch.driver({ auth: [{ helper: 'test' }] }).engine);
      } finally {
        process.env['PATH'] = path;
      }
      const broken = scratch.driver({ auth: [{ config: '/no/such/file' }] }).engine;
      const asked = await scratch.task(shell('true', { image: `${registry}/open/soft:1` }));
      await expect(broken.start(asked, never)).rejects.toThrow('auth.config /no/such/file cannot be read');
      await runs({ image: `${registry}/open/soft:1`, auth_soft_fail: true }, broken);
    },
  );

  here('that do not come are given up after image_pull_timeout', async () => {
    const of = await scratch.task(shell('true', { image: `${registry}/slow/app:1`, image_pull_timeout: '3s' }));
    await expect(engine.start(of, never)).rejects.toMatchObject({
      message: expect.stringMatching(/pull of .*: not done within 3 s/),
      recoverable: true,
    });
  });

  here('that the only task does not want any more are not pulled any further', async ({ skip }) => {
    if (name === 'docker') skip('its daemon asks a registry for a manifest to the end, whoever waits');
    const stop = new AbortController();
    const of = await scratch.task(shell('true', { image: `${registry}/slow/stopped:1` }));
    const given = expect(engine.start(of, stop.signal)).rejects.toThrow('enough');
    await expect.poll(() => log.includes(' /v2/slow/stopped/'), { timeout: 20_000 }).toBe(true);
    stop.abort(new Error('enough'));
    await given;
    await expect.poll(() => log.includes('gone /v2/slow/stopped/'), { timeout: 20_000 }).toBe(true);
  });

  here("come to who has credentials, whatever another's are who asks at the same time", async () => {
    const image = `${closed}/app/both:1`;
    const as = (password: string) => scratch.task(shell('true', { image, auth: [{ username: 'me', password }] }));
    const [wrong, right] = [await as('wrong'), await as('secret')];
    const [refused, started] = await Promise.allSettled([engine.start(wrong, never), engine.start(right, never)]);
    expect(started.status).toBe('fulfilled');
    expect(String((refused as PromiseRejectedResult).reason)).toContain('cannot be pulled');
    await engine.destroy(right.id, { force: true }, never);
  });

  /** One that no registry has, with an id of its own. */
  async function lone(repo: string): Promise<string> {
    const body = createReadStream(join(scratch.daemon.root, 'image.tar'));
    const headers = { 'Content-Type': 'application/x-tar' };
    const query = { fromSrc: '-', repo: `${registry}/none/${repo}`, tag: 'latest', message: repo };
    await scratch.daemon.client.text('POST', '/images/create', { query, headers, body, signal: never });
    await scratch.daemon.tag(`${registry}/none/${repo}:latest`, `${registry}/none/${repo}`, 'none');
    await scratch.daemon.client.text('DELETE', `/images/${encodeURIComponent(`${registry}/none/${repo}:latest`)}`, {
      signal: never,
    });
    return `${registry}/none/${repo}:none`;
  }
  const through = (path: string, more = {}) =>
    scratch.driver({ [name === 'podman' ? 'socket_path' : 'endpoint']: `unix://${path}`, ...more }).engine;

  here('that are being removed when a start wants them are waited for, and pulled again', async ({ skip }) => {
    if (name === 'podman') skip('it removes none');
    let [asked, removed] = [false, false];
    const path = join(scratch.daemon.root, 'slow.sock');
    const server = await openHook(scratch.daemon.socket, path, async (line) => {
      if (/^DELETE \S*\/images\//.test(line)) {
        asked = true;
        await sleep(500);
        setTimeout(() => (removed = true), 500);
      }
      if (asked && /^POST \S*\/containers\/create/.test(line)) while (!removed) await sleep(50);
      return '';
    });
    const by = through(path, { gc: [{ image_delay: '0s' }] });
    const image = await lone('slow');
    const [first, second] = [
      await scratch.task(shell('true', { image })),
      await scratch.task(shell('true', { image })),
    ];
    await by.start(first, never);
    await by.destroy(first.id, { force: true }, never);
    await expect.poll(() => asked, { timeout: 10_000 }).toBe(true);
    await expect(by.start(second, never)).rejects.toMatchObject({
      message: expect.stringContaining('cannot be pulled'),
      recoverable: true,
    });
    server.close();
  });

  here('that somebody removes before the container is made fail the start, which may be tried again', async () => {
    const path = join(scratch.daemon.root, 'robber.sock');
    const image = await lone('robbed');
    const server = await openHook(scratch.daemon.socket, path, async (line) => {
      if (/^POST \S*\/containers\/create\?name=main/.test(line))
        await scratch.daemon.client.text('DELETE', `/images/${encodeURIComponent(image)}`, {
          query: { force: 'true' },
          signal: never,
        });
      return '';
    });
    const of = await scratch.task(shell('true', { image }));
    await expect(through(path).start(of, never)).rejects.toMatchObject({ recoverable: true });
    server.close();
  });

  here('that do not move are given up after pull_activity_timeout, which is a minute at least', async ({ skip }) => {
    if (name === 'podman') skip('no option of its own');
    const by = scratch.driver({ pull_activity_timeout: '1s' }).engine;
    const of = await scratch.task(shell('true', { image: `${registry}/slow/quiet:1` }));
    const asked = () => log.includes('/v2/slow/quiet/');
    const given = expect(by.start(of, never)).rejects.toThrow(/pull of .*: nothing moved for 60 s/);
    await expect.poll(asked, { timeout: 20_000 }).toBe(true);
    const now = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 61_000);
    await given.finally(() => vi.restoreAllMocks());
  });

  here('of a registry without a certificate are pulled only where the task says so', async ({ skip }) => {
    if (name === 'docker') skip('no option of its own: it never asks for one on the loopback');
    const image = `127.0.0.1:${port + 2}/open/plain:1`;
    const wary = await scratch.task(shell('true', { image }));
    await expect(engine.start(wary, never)).rejects.toThrow(/cannot be pulled: .*(https|HTTPS)/);
    await runs({ image, auth: [{ username: '', password: '', tls_verify: false }] });
  });

  here('of another machine are asked for by name', async ({ skip }) => {
    if (name === 'docker') skip('no option of its own');
    const image = `${registry}/open/other:1`;
    const of = await scratch.task(shell('true', { image, os: 'linux', arch: 'arm64', variant: 'v8' }));
    // the registry has one for all machines; podman says what it got in place of what it asked for, or runs it
    await engine.start(of, never).catch((error: unknown) => expect(String(error)).toMatch(/arm64|exec format/));
    const before = pulls('open/other');
    expect(before).toBeGreaterThan(0);
    await engine.destroy(of.id, { force: true }, never).catch(() => undefined);
    // what is there is of this host's; for that it is not asked for again
    const own = process.arch === 'x64' ? 'amd64' : process.arch;
    await runs({ image, arch: own });
    expect(pulls('open/other')).toBe(before);
    const again = await scratch.task(shell('true', { image, arch: 's390x' }));
    await engine.start(again, never).catch(() => undefined);
    expect(pulls('open/other')).toBeGreaterThan(before);
    await engine.destroy(again.id, { force: true }, never).catch(() => undefined);
  });
});

test('a name is taken apart, and put together as the engine wants it', () => {
  expect(parseImageName('redis')).toEqual({ registry: 'docker.io', repository: 'redis', tag: 'latest', digest: '' });
  expect(parseImageName('localhost:5000/a/b:2')).toMatchObject({
    registry: 'localhost:5000',
    repository: 'localhost:5000/a/b',
    tag: '2',
  });
  expect(referenceOf(parseImageName('ghcr.io/x/y@sha256:ab'))).toBe('ghcr.io/x/y@sha256:ab');
  expect(referenceOf(parseImageName('https://ghcr.io/x/y:1'))).toBe('ghcr.io/x/y:1');
});

test('progress is one line, and knows when nothing moves', () => {
  const progress = new PullProgress();
  const layer = (status: string, current: number) => ({
    id: 'a',
    status,
    progressDetail: { current, total: 2 * 1024 * 1024 },
  });
  expect(progress.take(layer('Downloading', 1024 * 1024))).toBe(true);
  expect(progress.take(layer('Downloading', 1024 * 1024))).toBe(false);
  expect(progress.line).toBe('pulled 0 of 1 layers (1.0 of 2.0 MiB)');
  progress.take({ errorDetail: { message: 'no space' }, error: 'no space' });
  expect(progress.error).toBe('no space');
});

test('a credential helper that hangs, says what is no answer, fails or is not there is named with the reason', async () => {
  const bin = await mkdtemp(join(tmpdir(), 'drover-helper-'));
  const path = process.env['PATH'];
  process.env['PATH'] = `${bin}:${path}`;
  const asks = async (helper: string, script: string) => {
    await writeFile(join(bin, `docker-credential-${helper}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return registryAuth('ghcr.io', { task: null, config: '', helper }, 500);
  };
  try {
    await expect(asks('hangs', 'trap "" TERM; sleep 300')).rejects.toThrow('does not answer within 0.5 s');
    await expect(asks('garbage', 'head -c 100000 /dev/urandom')).rejects.toThrow('answered what is no JSON');
    await expect(asks('fails', 'echo no token; exit 3')).rejects.toThrow('ended with 3: "no token"');
    await expect(asks('list', 'echo "[]"')).resolves.toBeNull();
    await expect(asks('without', 'echo credentials not found in native keychain; exit 1')).resolves.toBeNull();
    await expect(registryAuth('ghcr.io', { task: null, config: '', helper: 'none' })).rejects.toThrow('cannot be run');
  } finally {
    process.env['PATH'] = path;
    await rm(bin, { recursive: true });
  }
});

test('credentials of the file: by helper, by identity token, for the default registry; its text is never in a message', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'drover-auth-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const config = join(directory, 'config.json');
  const none = { task: null, config, helper: '' };
  await writeFile(config, JSON.stringify({ auths: { 'https://index.docker.io/v1/': { identitytoken: 't' } } }));
  expect(await registryAuth('docker.io', none)).toMatchObject({ identityToken: 't' });
  expect(await registryAuth('ghcr.io', none)).toBeNull();
  const task = { username: 'me', password: 'secret', email: 'me@example.test', serverAddress: '' };
  const header = authHeader((await registryAuth('ghcr.io', { ...none, task }))!);
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
    ...{ username: 'me', password: 'secret', email: 'me@example.test', serveraddress: 'ghcr.io' },
  });
  await writeFile(config, '{"auths": secret-thing');
  await expect(registryAuth('ghcr.io', none)).rejects.toThrow(/^auth\.config .*: it is no JSON$/);
  await expect(registryAuth('ghcr.io', { task: null, config: '', helper: '../x' })).rejects.toThrow('a name such as');
});
