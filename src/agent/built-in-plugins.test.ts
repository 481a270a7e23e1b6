// Every built-in driver of programs as a plugin: the conformance suite over the protocol's socket. (The others run it in their folders.)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandSuite } from '../driver-kit/command-suite.ts';
import { conformanceCases } from '../driver-kit/conformance.ts';
import { openScratchHost, type ScratchHost } from '../driver-kit/scratch-host.ts';
import { openServed } from '../driver-kit/served-driver.ts';
import { builtInDrivers } from './built-in-drivers.ts';

let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});

afterAll(() => host.close());

const options: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { exec: {}, raw_exec: { enabled: true } };
/** Driver → the folder whose tests run it, where that is not its name. */
const folders: Readonly<Record<string, string>> = { mock_driver: 'mock', rkt: 'podman' };

test('each built-in driver is among them, or has the suite run both ways in its own folder', () => {
  const elsewhere = builtInDrivers.filter(({ pluginName }) => options[pluginName] === undefined);
  const silent = elsewhere.filter(({ pluginName }) => {
    const folder = folders[pluginName] ?? pluginName;
    const text = readFileSync(join(import.meta.dirname, '../drivers', folder, `${folder}.test.ts`), 'utf8');
    return !text.includes('.each(ways)') || !text.includes('conformanceCases');
  });
  expect(silent.map(({ pluginName }) => pluginName)).toEqual([]);
});

for (const plugin of builtInDrivers.filter(({ pluginName }) => options[pluginName] !== undefined)) {
  describe(`${plugin.pluginName} behind the plugin protocol does what every driver does:`, () => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(commandSuite(host.scratch, () => openServed(plugin, options[plugin.pluginName]!, host.deps))),
    );
  });
}
