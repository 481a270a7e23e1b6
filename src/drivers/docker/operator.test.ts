// What an operator says to the driver: each seen in what a container gets, or in what the daemon is asked.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { lackingForDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { openDriver } from '../../driver-kit/driver-plugin.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { docker } from './index.ts';
import { firstReport, outputOf, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;

beforeAll(async () => {
  if (lackingForDaemon.length === 0) scratch = await ScratchDocker.open();
}, 120_000);
afterAll(() => scratch?.close(), 60_000);
afterEach(() => {
  vi.restoreAllMocks();
});

const under = (config: Record<string, unknown>): EngineDriver => scratch.driver(config).engine;
const refusal: ScratchDocker['refusal'] = (...of) => scratch.refusal(...of);

async function hostConfig(by: EngineDriver, config: Record<string, unknown> = {}, more: Partial<TaskConfig> = {}) {
  const of = await scratch.task(shell('sleep 60', config), more);
  const { state } = await by.start(of, never);
  try {
    const path = `/containers/${String(state['containerId'])}/json`;
    const answer = await scratch.daemon.client.json('GET', path, { signal: never });
    return (answer as { readonly HostConfig: Readonly<Record<string, unknown>> }).HostConfig;
  } finally {
    await by.destroy(of.id, { force: true }, never);
  }
}

/** An authority, a server and a client, by openssl; and a server that asks for the client's certificate, in front of the daemon. */
async function tlsInFrontOf(socketPath: string) {
  const directory = join(scratch.daemon.root, 'tls');
  mkdirSync(directory);
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
    );
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`);
  }
  const read = (name: string): Buffer => readFileSync(at(name));
  const server = createServer(
    { key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem'), requestCert: true },
    (front) => {
      const back = connect(socketPath);
      front.pipe(back).pipe(front);
      front.on('error', () => back.destroy());
      back.on('error', () => front.destroy());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  return { endpoint: `tcp://127.0.0.1:${port}`, at, close: () => server.close() };
}

describe.skipIf(lackingForDaemon.length > 0)('an operator of docker', { timeout: 60_000 }, () => {
  test('reaches a daemon over TCP with certificates of both sides, its output too, and no other way', async () => {
    const { endpoint, at, close } = await tlsInFrontOf(scratch.daemon.socket);
    try {
      const tls = { cert: at('client.pem'), key: at('client.key'), ca: at('ca.pem') };
      const whole = under({ endpoint, tls: [tls] });
      const of = await scratch.task(shell('echo over tls; exit 3'));
      expect(await scratch.run(whole, of)).toMatchObject({ exit: { exitCode: 3 }, stdout: 'over tls\n' });
      const nameless = await firstReport(under({ endpoint, tls: [{ ca: tls.ca }] }));
      const distrusted = await firstReport(under({ endpoint, tls: [{ ...tls, ca: at('other.pem') }] }));
      expect(nameless).toMatchObject({ health: 'undetected', description: expect.stringContaining(endpoint) });
      expect(distrusted).toMatchObject({ health: 'undetected', description: expect.stringMatching(/certificate/) });
      expect(() => under({ endpoint, tls: [{ ...tls, key: at('none.key') }] })).toThrow('tls.key: ENOENT');
    } finally {
      close();
    }
  });

  test('says how containers that nobody knows are looked for: how often, from which age on, only named, or not', async () => {
    const lost = await scratch.task(shell('sleep 300'));
    const { state } = await under({}).start(lost, never);
    const path = `/containers/${String(state['containerId'])}/json`;
    const there = () =>
      scratch.daemon.client.json('GET', path, { signal: never }).then(
        () => true,
        () => false,
      );
    const now = Date.now;
    /** `laterMs`: how much later the driver believes it to be. */
    const looked = async (
      config: Record<string, unknown>,
      laterMs: number,
      until: (warned: string) => Promise<boolean>,
    ) => {
      let warned = '';
      const log: Log = {
        ...silentLog,
        child: () => log,
        warn: (message: string, fields?: object) => {
          warned = `${warned}${message} ${JSON.stringify(fields)}\n`;
        },
      };
      const options = { endpoint: scratch.daemon.endpoint, ...config };
      const { engine } = openDriver(docker, options, { ...scratch.host.deps, log });
      const known = await scratch.task(shell('sleep 300'));
      await engine.start(known, never);
      vi.spyOn(Date, 'now').mockImplementation(() => now() + laterMs);
      await expect.poll(() => until(warned), { timeout: 10_000, interval: 50 }).toBe(true);
      vi.restoreAllMocks();
      await engine.destroy(known.id, { force: true }, never);
      await engine.close();
    };
    const waited = (ms: number) => {
      const from = performance.now();
      return async () => performance.now() - from > ms;
    };
    await looked({ gc: [{ dangling_containers: [{ period: '100ms', creation_grace: '1s' }] }] }, 0, waited(600));
    expect(await there()).toBe(true);
    await looked({ gc: [{ dangling_containers: [{ period: '100ms', enabled: false }] }] }, 600_000, waited(600));
    await looked(
      { gc: [{ dangling_containers: [{ period: '100ms', dry_run: true }] }] },
      600_000,
      async (warned) => warned.includes(lost.id) && warned.includes('"removed":false'),
    );
    expect(await there()).toBe(true);
    await looked(
      { gc: [{ dangling_containers: [{ period: '100ms', creation_grace: '1s' }] }] },
      61_000,
      async () => !(await there()),
    );
  });

  test('has images that no task uses removed after a delay, not before, or never; and containers of ended tasks', async () => {
    const { client } = scratch.daemon;
    const image = 'drover-test/other:1';
    await scratch.daemon.tag(scratchImage, 'drover-test/other', '1');
    const there = () =>
      client.json('GET', `/images/${encodeURIComponent(image)}/json`, { signal: never }).then(
        () => true,
        () => false,
      );
    const by = under({ gc: [{ image: true, image_delay: '1s' }] });
    const [one, two] = [
      await scratch.task(shell('sleep 300', { image })),
      await scratch.task(shell('sleep 300', { image })),
    ];
    await by.start(one, never);
    await by.start(two, never);
    await by.destroy(one.id, { force: true }, never);
    await sleep(1_600);
    expect(await there()).toBe(true);
    await by.destroy(two.id, { force: true }, never);
    await expect.poll(there, { timeout: 10_000 }).toBe(false);
    const kept = under({ gc: [{ image: false, container: false }] });
    const last = await scratch.task(shell('true'));
    await kept.start(last, never);
    await kept.wait(last.id, never);
    await kept.destroy(last.id, { force: false }, never);
    await client.text('DELETE', `/containers/main-${last.allocId}`, { signal: never });
  });

  test('may label mounts for SELinux, choose the runtime of tasks that were given a GPU, and allow modes by pattern', async () => {
    const binds = (
      await hostConfig(under({ volumes: [{ enabled: true, selinuxlabel: 'z' }] }), { volumes: ['/etc:/host:ro'] })
    )['Binds'];
    expect((binds as readonly string[]).map((each) => each.split(':').slice(2).join())).toEqual([
      'z',
      'ro,z',
      'z',
      'z',
      'ro,z',
    ]);
    const gpu = { env: { NVIDIA_VISIBLE_DEVICES: '0' } };
    expect(await refusal(under({ nvidia_runtime: 'shiny' }), {}, gpu)).toMatch(/knows no runtime "shiny", only .*runc/);
    expect(await refusal(under({ nvidia_runtime: 'shiny' }))).toBe('it was started');
    const modes = under({ allowed_modes: [{ userns: ['h*t'], uts: ['host'] }] });
    expect(await hostConfig(modes, { userns_mode: 'host' })).toMatchObject({ UsernsMode: 'host' });
    const named = await scratch.run(modes, await scratch.task(shell('hostname', { uts_mode: 'host' })));
    expect(named.stdout).toBe(`${hostname()}\n`);
    expect(await refusal(modes, { userns_mode: 'other' })).toContain('allowed_modes { userns = ["other"] }');
  });

  test('decides how often a container of the same name is taken away, and whether output is collected', async () => {
    const { client } = scratch.daemon;
    const inTheWay = async (of: TaskConfig) => {
      const body = { Image: scratchImage, Cmd: ['true'] };
      await client.json('POST', '/containers/create', {
        query: { name: `${of.name}-${of.allocId}` },
        body,
        signal: never,
      });
    };
    const of = await scratch.task(shell('echo kept by the engine'));
    await inTheWay(of);
    await expect(under({ container_exists_attempts: 1 }).start(of, never)).rejects.toMatchObject({ kind: 'conflict' });
    const silent = under({ container_exists_attempts: 2, disable_log_collection: true });
    const { state } = await silent.start(of, never);
    await silent.wait(of.id, never);
    const path = `/containers/${String(state['containerId'])}/logs`;
    expect(await client.text('GET', path, { query: { stdout: 'true' }, signal: never })).toContain(
      'kept by the engine',
    );
    expect(await outputOf(of)).toBe('');
    await silent.destroy(of.id, { force: false }, never);
  });

  test('is told of an option that is wrong when the driver is configured, not by every task', () => {
    expect(() => under({ pull_activity_timeout: 'soon' })).toThrow('pull_activity_timeout: "soon" is no duration');
    expect(() => under({ allow_caps: ['net_amdin'] })).toThrow('allow_caps: "net_amdin" is no capability');
    expect(() => under({ capabilities: 'nomda' })).toThrow('capabilities: "nomda" is none of "", "nomad"');
    expect(() => under({ pids_limit: -1 })).toThrow('pids_limit is not -1');
  });

  test('and a job may say what has no effect here, and get the same container', async () => {
    const { Binds: _, ...plain } = await hostConfig(under({}));
    const { Binds: __, ...said } = await hostConfig(under({ windows_allow_insecure_container_admin: true }), {
      isolation: 'hyperv',
      cpuset_cpus: '0',
    });
    expect(said).toEqual(plain);
  });
});
