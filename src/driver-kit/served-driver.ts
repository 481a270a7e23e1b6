/** Instances of a driver for the conformance suite: in this process, or each behind a plugin's socket of its own. */

import { decodeConfig } from '../driver/config-decode.ts';
import type { EngineDriver } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import type { DriverSuite } from './conformance.ts';
import { type DriverDeps, type DriverPlugin, type OpenDriver, openDriver } from './driver-plugin.ts';
import { openRemoteDriver } from './remote/remote-driver.ts';
import { serveOnSocket } from './serve/serve.ts';

export const ways = ['in process', 'over the wire'] as const;

export type Way = (typeof ways)[number];

/** What `openDriver` gives, with every call of the engine over the plugin protocol; closing the engine ends the server too. */
export async function openServed(
  plugin: DriverPlugin<never, never> | DriverPlugin,
  options: Readonly<Record<string, unknown>>,
  deps: DriverDeps,
): Promise<OpenDriver> {
  const { decodeConfig: decode, schemaBytes } = openDriver(plugin, options, deps);
  const { configSchema } = plugin as DriverPlugin;
  const given = decodeConfig(configSchema, options);
  if (!given.ok) throw new Fault('invalid', given.problems.join(' '));
  const served = await serveOnSocket(plugin as DriverPlugin, deps);
  const remote = await openRemoteDriver(
    { target: `unix:${served.socketPath}`, config: given.value },
    new AbortController().signal,
  );
  const close = async (): Promise<void> => {
    await remote.close();
    await served.close();
  };
  return { engine: { ...remote, close }, decodeConfig: decode, schemaBytes };
}

/** The `open` of a suite. `prepare` gives what is known only when the tests run. */
export function opening(
  way: Way,
  plugin: DriverPlugin<never, never> | DriverPlugin,
  prepare: () => { readonly options: Readonly<Record<string, unknown>>; readonly deps: DriverDeps },
): DriverSuite['open'] {
  return async () => {
    const opened: EngineDriver[] = [];
    const another = async (): Promise<EngineDriver> => {
      const { options, deps } = prepare();
      const { engine } = await (way === 'in process' ? openDriver : openServed)(plugin, options, deps);
      opened.push(engine);
      return engine;
    };
    return {
      driver: await another(),
      again: another,
      close: async () => {
        await Promise.all(opened.map((each) => each.close()));
      },
    };
  };
}
