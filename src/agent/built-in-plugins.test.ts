// Every built-in driver of programs as a plugin: the conformance suite over the protocol's socket. (mock_driver has its own in its folder.)
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeConfig } from '../driver/config-decode.ts';
import { commandSuite } from '../driver-kit/command-suite.ts';
import { conformanceCases } from '../driver-kit/conformance.ts';
import { type DriverPlugin, type OpenDriver, openDriver } from '../driver-kit/driver-plugin.ts';
import { openRemoteDriver } from '../driver-kit/remote/remote-driver.ts';
import { openScratchHost, type ScratchHost } from '../driver-kit/scratch-host.ts';
import { serveOnSocket } from '../driver-kit/serve/serve.ts';
import { builtInDrivers } from './built-in-drivers.ts';

const never = new AbortController().signal;
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});

afterAll(() => host.close());

const options: Readonly<Record<string, object>> = { exec: {}, raw_exec: { enabled: true } };
/** Name → which tests run it over the wire in place of these. */
const elsewhere: Readonly<Record<string, string>> = {
  mock_driver: 'src/drivers/mock/mock.test.ts',
};

async function open(plugin: DriverPlugin): Promise<OpenDriver> {
  const { decodeConfig: decode, schemaBytes } = openDriver(plugin, options[plugin.pluginName], host.deps);
  const served = await serveOnSocket(plugin, host.deps);
  const given = decodeConfig(plugin.configSchema, options[plugin.pluginName]);
  const remote = await openRemoteDriver(
    { target: `unix:${served.socketPath}`, config: given.ok && given.value },
    never,
  );
  const close = async (): Promise<void> => {
    await remote.close();
    await served.close();
  };
  return { engine: { ...remote, close }, decodeConfig: decode, schemaBytes };
}

test('each driver that runs a command is among them', () => {
  const commands = builtInDrivers.filter(({ taskSchema }) => taskSchema['command']?.required === true);
  const named = [...Object.keys(options), ...Object.keys(elsewhere)];
  expect(commands.map(({ pluginName }) => pluginName).filter((name) => !named.includes(name))).toEqual([]);
});

for (const plugin of builtInDrivers.filter(({ pluginName }) => options[pluginName] !== undefined)) {
  describe(`${plugin.pluginName} behind the plugin protocol does what every driver does:`, () => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(commandSuite(host.scratch, () => open(plugin))),
    );
  });
}
