import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { createSupervisor } from '../supervise/supervisor.ts';
import { loadConfig } from './config-load.ts';
import { openPluginDrivers } from './plugin-drivers.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-late-plugin-'));
const supervisor = createSupervisor();
afterAll(async () => {
  await supervisor.close();
  rmSync(directory, { recursive: true, force: true });
});

it('tells who follows it later of a plugin that came up before, under the name it has', async () => {
  const drover = join(import.meta.dirname, '../../bin/drover.js');
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
      device: (name) => heard.push(`device ${name}`),
    });
    expect(heard).toEqual(['removed slow', 'added mock_driver']);
  } finally {
    await plugins.close();
  }
});
