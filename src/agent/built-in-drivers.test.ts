import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { openBuiltInDrivers } from './built-in-drivers.ts';
import { loadConfig } from './config-load.ts';

const directory = mkdtempSync(join(tmpdir(), 'drover-built-in-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it.skipIf(process.getuid?.() !== 0)('leave no mount behind where the options of one are wrong', async () => {
  const file = join(directory, 'agent.hcl');
  writeFileSync(file, 'client { enabled = true }\nplugin "exec" { config { no_such_option = true } }\n');
  const { config } = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
  const mounts = () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((row) => row.includes(directory));
  const wrong = openBuiltInDrivers(config, join(directory, 'client'), silentLog);
  await expect(wrong).rejects.toThrow(/no_such_option/);
  expect(mounts()).toEqual([]);
});
