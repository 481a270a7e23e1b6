import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createLog, formatLogLine, silentLog } from '../lib/log.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import { loadConfig } from './config-load.ts';
import { openPluginDrivers } from './plugin-drivers.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-late-plugin-'));
const drover = join(import.meta.dirname, '../../bin/drover.js');
const supervisor = createSupervisor();
afterAll(async () => {
  await supervisor.close();
  rmSync(directory, { recursive: true, force: true });
});

it('tells who follows it later of a plugin that came up before, under the name it has', async () => {
  mkdirSync(join(directory, 'plugins'));
  writeFileSync(
    join(directory, 'plugins/slow'),
    `#!/bin/sh\nwhile [ ! -e '${directory}/now' ]; do sleep 0.05; done\n` +
      `exec '${process.execPath}' '${drover}' driver serve -state-dir '${directory}/served' mock_driver\n`,
    { mode: 0o755 },
  );
  const file = join(directory, 'agent.hcl');
  writeFileSync(file, `plugin_dir = "${directory}/plugins"\nplugin "slow" {}\n`);
  const { config } = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
  const deps = { supervisor, stateDirectory: join(directory, 'tasks'), log: silentLog };
  const plugins = await openPluginDrivers(config, join(directory, 'state'), deps, new Set(), 100);
  try {
    expect([...plugins.drivers.keys()]).toEqual(['slow']);
    writeFileSync(join(directory, 'now'), '');
    await expect.poll(() => [...plugins.drivers.keys()], { timeout: 50_000 }).toEqual(['mock_driver']);
    const heard: string[] = [];
    plugins.follow({
      added: (name) => heard.push(`added ${name}`),
      removed: (name) => heard.push(`removed ${name}`),
      renewed: (name) => heard.push(`renewed ${name}`),
      device: (name) => heard.push(`device ${name}`),
    });
    expect(heard).toEqual(['removed slow', 'added mock_driver']);
  } finally {
    await plugins.close();
  }
});

it('reloads one at a time: what is replaced ends, and the driver is healthy all the while', async () => {
  const program = join(directory, 'often/plugins/often');
  const served = join(directory, 'often/served');
  mkdirSync(join(directory, 'often/plugins'), { recursive: true });
  let version = 0;
  const change = (): void =>
    writeFileSync(
      program,
      `#!/bin/sh\n# ${++version}\nexec '${process.execPath}' '${drover}' driver serve -state-dir '${served}' mock_driver\n`,
      { mode: 0o755 },
    );
  change();
  const file = join(directory, 'often.hcl');
  writeFileSync(file, `plugin_dir = "${directory}/often/plugins"\nplugin "often" {}\n`);
  const { config } = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
  const deps = { supervisor, stateDirectory: join(directory, 'often/tasks'), log: silentLog };
  const plugins = await openPluginDrivers(config, join(directory, 'often/state'), deps, new Set());
  const gone = new AbortController();
  try {
    const health: string[] = [];
    const told = (async () => {
      for await (const each of plugins.drivers.get('mock_driver')!.engine.fingerprint(gone.signal))
        health.push(each.health);
    })();
    await expect.poll(() => health).toEqual(['healthy']);
    for (let count = 1; count < 4; count++) {
      change();
      const rows = await Promise.all([plugins.reload(config), plugins.reload(config)]);
      expect(rows.map(([row]) => row?.outcome)).toEqual(['replaced', 'unchanged']);
      await expect.poll(() => health.length, { timeout: 50_000 }).toBeGreaterThan(count);
      await expect.poll(() => processesOf(served), { timeout: 50_000 }).toHaveLength(1);
    }
    expect(new Set(health)).toEqual(new Set(['healthy']));
    gone.abort();
    await told;
  } finally {
    gone.abort();
    await plugins.close();
  }
  await expect.poll(() => processesOf(served)).toEqual([]);
});

it('gives plugins names of its environment that they may need, and nothing that changes what they run, or is secret', async () => {
  const seen = join(directory, 'seen');
  mkdirSync(join(directory, 'environment'));
  writeFileSync(
    join(directory, 'environment/plugin'),
    `#!/bin/sh\n/usr/bin/env > '${seen}'\nexec '${process.execPath}' '${drover}' driver serve -state-dir '${directory}/e' mock_driver\n`,
    { mode: 0o755 },
  );
  const harmful = {
    NODE_OPTIONS: '--no-such-option',
    NODE_EXTRA_CA_CERTS: '/no/such/file',
    NODE_PATH: '/x',
    LD_PRELOAD: '',
    LD_LIBRARY_PATH: '/x',
    LD_AUDIT: '',
    GODEBUG: 'netdns=cgo',
    BASH_ENV: '/x',
    NOMAD_TOKEN: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const file = join(directory, 'environment.hcl');
  writeFileSync(file, `plugin_dir = "${directory}/environment"\nplugin "plugin" {}\n`);
  const { config } = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
  const deps = { supervisor, stateDirectory: join(directory, 'environment-tasks'), log: silentLog };
  const before = { ...process.env };
  Object.assign(process.env, harmful, { DOCKER_HOST: 'unix:///x' });
  try {
    const plugins = await openPluginDrivers(config, join(directory, 'environment-state'), deps, new Set());
    await plugins.close();
    // the control: what this process starts without a list has them, and a plugin would not start with them
    const inherits = spawnSync('/usr/bin/env', { encoding: 'utf8' }).stdout;
    for (const name of Object.keys(harmful)) expect(inherits).toContain(`${name}=`);
    expect(spawnSync(process.execPath, ['-e', '']).status).not.toBe(0);
    expect(plugins.status()).toMatchObject([{ driver: 'mock_driver' }]);
  } finally {
    for (const name of Object.keys({ ...harmful, DOCKER_HOST: '' })) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
  }
  const names = readFileSync(seen, 'utf8')
    .split('\n')
    .map((line) => line.split('=')[0]!);
  expect(names).toEqual(expect.arrayContaining(['PATH', 'DOCKER_HOST', 'NOMAD_PLUGIN_MAGIC_COOKIE']));
  expect(names.filter((name) => name in harmful)).toEqual([]);
});

it('says of a plugin block that it is of no driver, where nothing is called so; names of its own drivers are', async () => {
  const file = join(directory, 'nothing.hcl');
  mkdirSync(join(directory, 'nothing'));
  writeFileSync(join(directory, 'nothing/greeter.sh'), '#!/bin/sh\n', { mode: 0o755 });
  const blocks = ['greeter', 'docker', 'off'].map((name) => `plugin "${name}" {\n  enabled = ${name !== 'off'}\n}\n`);
  writeFileSync(file, `plugin_dir = "${directory}/nothing"\n${blocks.join('')}`);
  const { config } = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
  const said: string[] = [];
  const log = createLog('', (entry) => said.push(formatLogLine(entry)), Date.now);
  const deps = { supervisor, stateDirectory: join(directory, 'nothing-tasks'), log };
  const plugins = await openPluginDrivers(config, join(directory, 'nothing-state'), deps, new Set(['docker']));
  await plugins.close();
  expect(said.filter((line) => line.includes('is of no driver'))).toEqual([expect.stringContaining('plugin=greeter ')]);
  expect(said.join('\n')).toMatch(/passed over: file=greeter\.sh reason="no plugin block/);
});

function processesOf(argument: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
    } catch {
      return false; // ended meanwhile
    }
  });
}
